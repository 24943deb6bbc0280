"""traces.py -- what a host has of the machine, and what is left over beyond what it should have.

Seen from outside, in /proc and the cgroup tree of a pid namespace that is the test's own. What a
living instance has belongs to it; everything else must be as it was.
"""
import collections
import os
import re

from host import command_line, start_time, stat_fields

MEMORY_SLACK_KB = 1024
UPLOAD = "/memfd:forgesyte-upload"  # the host counts some for each Python worker that no cgroup counts
UPLOADS = 4
PROGRAMS = "/tmp/programs/libexec"  # copies that everybody may write: only the box keeps a plugin out


def processes():
    """pid -> (parent, state, start) of everything in this pid namespace."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_fields(name)
            if fields:
                found[int(name)] = (int(fields[1]), fields[0], fields[19])
    return found


def box_of(pid, host, table):
    """The child of the host that this process is or descends from."""
    while pid in table and table[pid][0] != host:
        pid = table[pid][0]
    return pid if pid in table else None


def memory_kb(pid):
    """What only this process has: not the pages of files, which come and go."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        fields = dict(line.split(":", 1) for line in f if ":" in line)
    return sum(int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem"))


def files():
    """Everything in the scratch folders, and how the programs are; not what is the test's to change,
    and not the canaries, which would sing."""
    found = set()
    for top in ("/tmp", "/var/tmp", "/dev/shm"):
        for parent, folders, names in os.walk(top):
            folders[:] = [name for name in folders if name not in ("canaries", "plugins", "flaky")
                          and not os.path.ismount(os.path.join(parent, name))]
            found |= {os.path.join(parent, name) for name in folders + names}
    for name in os.listdir(PROGRAMS):
        stat = os.stat(os.path.join(PROGRAMS, name))
        found.add(f"{name}: inode {stat.st_ino}, {stat.st_size} bytes, changed {stat.st_mtime_ns}")
    return found


def connections():
    """The inodes of TCP sockets: who is connected is the clients' doing, and passes in its own time."""
    found = set()
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as f:
            found |= {line.split()[9] for line in list(f)[1:]}
    return found


def descriptors(pid):
    """Those of a process that are no connections: number -> what it is."""
    links = {}
    tcp = connections()  # before and after: one that ends in between was one, too
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            links[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
    tcp |= connections()
    return {n: link for n, link in links.items()
            if not (link.startswith("socket:[") and link[8:-1] in tcp)}


def by_kind(links):
    """"3 pipe, 1 anon_inode:[eventfd]": what descriptors are, without the numbers of their inodes."""
    kinds = collections.Counter(re.sub(r":\[\d+\]| \(deleted\)", "", link) for link in links.values())
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def mounts(pid):
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as f:
        return sorted(line.split(" ", 2)[2] for line in f)


class Traces:
    """How it is now. instances: the pids of the instances that the host says it has.
    per_box: (processes, descriptors of the host, cgroups) of one instance."""

    def __init__(self, host, cgroup, instances, per_box):
        self.table = processes()
        self.instances, self.per_box = instances, per_box
        self.host = (host.pid, start_time(host.pid))
        self.boxes = {box_of(pid, host.pid, self.table) for pid in instances} - {None}
        self.free, self.boxed = set(), {}
        for pid, (_, state, start) in self.table.items():
            box = box_of(pid, host.pid, self.table)
            if box in self.boxes:
                self.boxed.setdefault(box, []).append(pid)
            else:
                self.free.add((pid, start, state == "Z"))
        self.cgroups = [path for _, path in cgroup.below() if path.count("/") >= 1]
        self.mounts = mounts(host.pid), mounts("self")
        self.files = files()
        self.links = descriptors(host.pid)
        self.uploads = sum(link.startswith(UPLOAD) for link in self.links.values())
        self.descriptors = len(self.links) - self.uploads
        self.threads = len(os.listdir(f"/proc/{host.pid}/task"))
        self.memory_kb = memory_kb(host.pid)

    def fixed_descriptors(self):
        return self.descriptors - self.per_box[1] * len(self.instances)

    def beyond(self, before, crowded=(), memory=True):
        """Words for each thing that is here and was not before. crowded: pids of instances that may
        have more processes than one has at the beginning. memory: is the host's compared, too?"""
        words = []
        for pid, start, _ in sorted(self.free - before.free):
            if (pid, start) not in {(p, s) for p, s, _ in before.free}:
                words.append(f"process {pid} ({self.table[pid][1]}) {command_line(pid)!r} "
                             f"below {self.table[pid][0]}")
        for box, pids in self.boxed.items():
            if len(pids) > self.per_box[0] and not set(pids) & set(crowded):
                words.append(f"{len(pids)} processes in the box of {box}")
        for which, now, then in (("host", self.mounts[0], before.mounts[0]),
                                 ("test", self.mounts[1], before.mounts[1])):
            if now != then:
                words.append(f"mounts of the {which}: {sorted(set(now) ^ set(then))}")
        if self.files != before.files:
            words.append(f"files: {sorted(self.files ^ before.files)[:10]}")
        wanted = len(self.instances) * self.per_box[2]
        if len(self.cgroups) > wanted:
            words.append(f"{len(self.cgroups)} cgroups of boxes, {wanted} wanted: "
                         f"{sorted(set(self.cgroups))}")
        if self.fixed_descriptors() > before.fixed_descriptors():
            words.append(f"descriptors of the host: {self.fixed_descriptors()} without "
                         f"{len(self.instances)} instances, "
                         f"{before.fixed_descriptors()} before: now {by_kind(self.links)}; before "
                         f"{by_kind(before.links)}, of {len(before.instances)} instances")
        if self.uploads > UPLOADS * len(self.instances):
            words.append(f"{self.uploads} files for uploads, of {len(self.instances)} instances")
        if self.threads > before.threads:
            words.append(f"threads of the host: {self.threads}, {before.threads} before")
        grown = self.memory_kb - before.memory_kb
        if memory and grown > MEMORY_SLACK_KB:
            words.append(f"memory of the host: {grown} KB more")
        return words
