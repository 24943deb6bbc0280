#!/bin/busybox sh
# guest.sh -- the first program of the virtual machine: run_v2.py puts it in as /init.
# Twice: in the initramfs it moves into a tmpfs (an initramfs can't be pivoted away from, a tmpfs can);
# there, as "guest.sh tests", it mounts pure cgroup v2 and runs each line of /v2/programs in a cgroup of
# its own. What it prints between the markers is TAP.
export PATH=/usr/bin CMOCKA_MESSAGE_OUTPUT=TAP

if [ "$1" != tests ]; then
        /fs/usr/bin/busybox mkdir /new
        /fs/usr/bin/busybox mount -t tmpfs -o mode=755,size=75% root /new
        /fs/usr/bin/busybox cp -a /fs/. /new/
        /fs/usr/bin/busybox rm -rf /fs
        exec /new/usr/bin/busybox switch_root /new /v2/guest.sh tests
fi

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/shm
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
echo 1 > /proc/sys/kernel/printk
# A core that is written delays the news of a death.
echo core > /proc/sys/kernel/core_pattern

echo "+memory +pids +cpu" > /sys/fs/cgroup/cgroup.subtree_control
echo "kernel $(uname -r), controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
n=0
# user<TAB>name<TAB>command: the user owns the cgroup, as systemd's Delegate= would have it.
while IFS="$(printf '\t')" read -r user name command; do
        n=$((n + 1))
        mine=/sys/fs/cgroup/test$n
        mkdir $mine
        chown -R "$user" $mine
        echo "v2-begin $name"
        (
                echo 0 > $mine/cgroup.procs
                eval "exec $command" </dev/null 2>&1
        )
        echo "v2-end $?"
done < /v2/programs
echo "v2-done"
reboot -f
