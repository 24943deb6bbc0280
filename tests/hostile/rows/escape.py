"""The rows E01 to E12: acts that a box forbids. Each act is tried from inside; the row fails on the
first one that is allowed, and on anything outside that is not as it was.

What the kernel answers (EPERM, ENOENT, EROFS …) depends on the wall that is met first, and is not
promised; that it refuses is.
"""
import os

from canaries import ABSTRACT
from row import native, row
from traces import PROGRAMS

ESCAPE = native("escape", limits={"timeout_seconds": 5})
NUMBERS = {  # of x86_64
    "kill": 62, "tgkill": 234, "rt_sigqueueinfo": 129, "ptrace": 101, "prlimit64": 302,
    "setpriority": 141, "sched_setscheduler": 144, "sched_setparam": 142, "sched_setaffinity": 203,
    "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_open": 434, "pidfd_getfd": 438,
    "ioprio_set": 251, "kcmp": 312, "migrate_pages": 256, "move_pages": 279, "get_robust_list": 274,
    "unshare": 272, "clone": 56, "mount": 165, "umount2": 166, "chroot": 161, "pivot_root": 155,
    "setns": 308, "mknod": 133, "open_tree": 428, "fsopen": 430, "move_mount": 429,
    "mount_setattr": 442, "fspick": 433, "open_by_handle_at": 304, "name_to_handle_at": 303,
    "reboot": 169, "swapon": 167, "init_module": 175, "finit_module": 313, "kexec_load": 246,
    "acct": 163, "settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "sethostname": 170,
    "setdomainname": 171, "iopl": 172, "ioperm": 173, "syslog": 103, "quotactl": 179,
    "io_uring_setup": 425, "bpf": 321, "userfaultfd": 323, "perf_event_open": 298, "keyctl": 250,
    "add_key": 248, "request_key": 249, "memfd_secret": 447, "landlock_create_ruleset": 444,
    "fanotify_init": 300, "inotify_init1": 294, "vmsplice": 278, "modify_ldt": 154, "lookup_dcookie": 212,
    "personality": 135, "socket": 41, "ioctl": 16, "setuid": 105, "setgid": 106, "setresuid": 117,
    "setgroups": 116, "capset": 126, "setfsuid": 122, "chown": 92}
KILL, TERM, ATTACH, SEIZE = 9, 15, 16, 0x4206
SPACES = {"NEWUSER": 0x10000000, "NEWNS": 0x20000, "NEWPID": 0x20000000, "NEWNET": 0x40000000,
          "NEWIPC": 0x8000000, "NEWUTS": 0x4000000, "NEWCGROUP": 0x2000000, "NEWTIME": 0x80}


class Acts:
    """Tries one act after another; what was allowed is told in the end, all of it."""

    def __init__(self, t):
        self.t, self.allowed, self.count = t, [], 0

    def no(self, tool, words=None, **args):
        answer = self.t.call(tool, args)
        self.count += 1
        if answer.status != 200:
            raise AssertionError(f"{words or args}: {answer!r}")
        if answer.json["result"]["errno"] == 0:
            self.allowed.append(words or f"{tool} {args}")

    def sys(self, name, *values, **args):
        for i, value in enumerate(values):
            args[("s" if isinstance(value, str) else "a") + str(i)] = value
        self.no("sys", f"{name}{values}", nr=NUMBERS[name], **args)

    def end(self):
        self.t.equal(self.allowed, [], "was allowed")
        self.t.notes.append(f"{self.count} acts")
        self.t.kept()


def values_of(pid):
    """What others may want to change about a process."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    with open(f"/proc/{pid}/limits", encoding="ascii") as f:
        limits = f.read()
    with open(f"/proc/{pid}/oom_score_adj", encoding="ascii") as f:
        score = f.read().strip()
    return {"start": fields[19], "priority": fields[15:17], "policy": fields[37:39], "limits": limits,
            "oom": score, "cpus": os.sched_getaffinity(pid), "stopped": fields[0] in "Tt"}


@row("E01", "reads /etc/shadow, a secret, the host's environment and memory", "refused; never opened",
     ESCAPE)
def e01(t):
    acts, host = Acts(t), t.host.pid
    paths = ["/etc/shadow", "/etc/gshadow", t.stage.canaries.secret, *t.stage.canaries.others,
             "/root/", "/proc/kcore", "/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda",
             "/proc/sysrq-trigger", "/sys/kernel/debug/x"]
    paths += [f"/proc/{host}/{name}" for name in ("environ", "maps", "cmdline", "status", "stat", "fd/0",
                                                  "root/etc/passwd", "cwd/etc/passwd", "exe")]
    for path in paths:
        acts.no("read", path=path)
    acts.no("read", path=f"/proc/{host}/mem", at=4096)
    for path in (os.path.dirname(t.stage.canaries.secret), "/root", f"/proc/{host}/fd", "/home"):
        acts.no("list", path=path)
    acts.end()


@row("E02", "reads and writes another plugin's folder and scratch", "refused", ESCAPE)
def e02(t):
    acts, sibling = Acts(t), t.stage.instances("neighbour")[0]
    folder = os.path.join(t.stage.plugin_dir, "neighbour")
    for name in ("manifest.json", "plugin.so"):
        for path in (f"{folder}/{name}", f"/proc/{sibling}/root/plugin/{name}"):
            acts.no("read", path=path)
            acts.no("write", path=path)
    acts.no("list", path=folder)
    acts.no("list", path=t.stage.plugin_dir)
    acts.no("make", path=folder + "/new")
    for path in (f"/proc/{sibling}/root/tmp/canary", f"/proc/{sibling}/cwd/tmp/canary"):
        acts.no("read", path=path)
        acts.no("write", path=path)
    acts.no("make", path=f"/proc/{sibling}/root/tmp/new")
    acts.end()


@row("E03", "signals, traces, limits, slows the host and a sibling", "refused; nothing has changed",
     ESCAPE)
def e03(t):
    acts = Acts(t)
    targets = t.host.pid, t.stage.instances("neighbour")[0]
    before = [values_of(pid) for pid in targets]
    for pid in targets:
        acts.sys("kill", pid, 0)
        acts.sys("kill", pid, TERM)
        acts.sys("kill", -pid, TERM)
        acts.sys("tgkill", pid, pid, TERM)
        acts.sys("rt_sigqueueinfo", pid, TERM, b2=True)
        acts.sys("ptrace", ATTACH, pid)
        acts.sys("ptrace", SEIZE, pid)
        acts.sys("prlimit64", pid, 7, b2=True)
        acts.sys("prlimit64", pid, 7, 0, b3=True)
        acts.sys("setpriority", 0, pid, 19)
        acts.sys("sched_setscheduler", pid, 5, b2=True)
        acts.sys("sched_setparam", pid, b1=True)
        acts.sys("sched_setaffinity", pid, 8, "\x01")
        acts.sys("process_vm_readv", pid, a2=1, a4=1, b1=True, b3=True)
        acts.sys("process_vm_writev", pid, a2=1, a4=1, b1=True, b3=True)
        acts.sys("pidfd_open", pid, 0)
        acts.sys("ioprio_set", 1, pid, 3 << 13)
        acts.sys("kcmp", pid, pid, 0)
        acts.sys("migrate_pages", pid, 64, b2=True, b3=True)
        acts.sys("move_pages", pid, 0)
        acts.sys("get_robust_list", pid, b1=True, b2=True)
        acts.no("write", path=f"/proc/{pid}/oom_score_adj", text="1000")
    acts.end()
    # These may be permitted: they reach its own processes, and nobody else.
    answer = t.call("sys", {"nr": NUMBERS["setpriority"], "a0": 2, "a2": 15})
    t.equal(answer.status, 200)
    t.equal([values_of(pid) for pid in targets], before, "the targets")
    t.call("sys", {"nr": NUMBERS["kill"], "a0": -1, "a1": KILL})
    t.equal([values_of(pid) for pid in targets], before, "the targets after kill(-1)")


@row("E04", "connects to the host's own API, to a cloud's metadata, by UDP, DNS, vsock, netlink",
     "refused; nobody came", ESCAPE)
def e04(t):
    acts, canaries = Acts(t), t.stage.canaries
    metadata, resolver = 0xA9FEA9FE, 0x7F000035
    for port in (t.host.port, canaries.tcp, 80):
        acts.no("inet", port=port)
        acts.no("inet", port=port, address=0)
    acts.no("inet", port=80, address=metadata)
    for address in (0x7F000001, metadata, resolver):
        acts.no("inet", port=53, udp=True, address=address)
        acts.no("inet", port=canaries.udp, udp=True, address=address)
    for family, kind, protocol in ((40, 1, 0), (16, 3, 0), (16, 3, 15), (17, 3, 0x300), (2, 3, 1), (10, 3, 58),
                                   (38, 5, 0), (44, 3, 0), (31, 5, 1), (29, 3, 1), (15, 3, 2)):
        acts.sys("socket", family, kind, protocol)
    acts.end()


@row("E05", "connects to unix sockets, with a path and abstract ones", "refused; nobody came", ESCAPE)
def e05(t):
    acts = Acts(t)
    acts.no("unix", path=t.stage.canaries.path)
    acts.no("unix", path=f"/proc/{t.host.pid}/root{t.stage.canaries.path}")
    acts.no("unix", name=ABSTRACT)
    for path in ("/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket",
                 "/run/systemd/private", "/tmp/.X11-unix/X0"):
        acts.no("unix", path=path)
    acts.end()


@row("E06", "makes and joins namespaces, mounts, changes its root, loads modules, sets the clock",
     "EPERM or ENOSYS", ESCAPE)
def e06(t):
    acts, host_name = Acts(t), os.uname().nodename
    for flag in SPACES.values():
        acts.sys("unshare", flag)
        if flag != SPACES["NEWTIME"]:
            acts.sys("clone", flag | 17)
    acts.sys("setns", 0, 0)
    acts.sys("mount", "none", "/tmp", "tmpfs", 0)
    acts.sys("mount", "/", "/tmp", "", 4096)
    acts.sys("mount", "", "/", "", 32 | 4096)
    for path in ("/tmp", "/proc", "/"):
        acts.sys("umount2", path, 2)
        acts.sys("chroot", path)
    acts.sys("pivot_root", ".", ".")
    acts.sys("mknod", "/tmp/node", 0o60600, 0x800)
    acts.sys("open_tree", -100, "/", 1)
    acts.sys("fsopen", "tmpfs", 0)
    acts.sys("fspick", -100, "/", 0)
    acts.sys("move_mount", 0, "", 1, "", 0)
    acts.sys("mount_setattr", -100, "/", 0x8000, a4=32, b3=True)
    acts.sys("open_by_handle_at", -100, a2=0, b1=True)
    acts.sys("reboot", -18751827, 672274793, 0)
    acts.sys("swapon", "/tmp/swap", 0)
    acts.sys("init_module", a1=0, b0=True, b2=True)
    acts.sys("finit_module", 0, "", 0)
    acts.sys("kexec_load", 0, 0)
    acts.sys("acct", "/tmp/acct")
    acts.sys("settimeofday", b0=True)
    acts.sys("clock_settime", 0, b1=True)
    acts.sys("sethostname", "stolen", 6)
    acts.sys("setdomainname", "stolen", 6)
    acts.sys("iopl", 3)
    acts.sys("ioperm", 0, 1, 1)
    acts.sys("syslog", 3, a2=4096, b1=True)
    acts.sys("quotactl", 0x80000100, "/dev/vda", 0)
    acts.end()
    t.equal(os.uname().nodename, host_name)


@row("E07", "io_uring, bpf, userfaultfd, perf, keys, memfd_secret and other doors", "ENOSYS or EPERM",
     ESCAPE)
def e07(t):
    acts = Acts(t)
    acts.sys("io_uring_setup", 8, b1=True)
    acts.sys("bpf", 0, a2=64, b1=True)
    acts.sys("userfaultfd", 0)
    acts.sys("userfaultfd", 1)
    acts.sys("perf_event_open", a1=0, a2=-1, a3=-1, b0=True)
    acts.sys("keyctl", 0, -3, 1)
    acts.sys("keyctl", 1, "stolen")
    acts.sys("add_key", "user", "stolen", "x", 1, -3)
    acts.sys("request_key", "user", "stolen", "", -3)
    acts.sys("memfd_secret", 0)
    acts.sys("fanotify_init", 0, 0)
    acts.sys("modify_ldt", 0, a2=4096, b1=True)
    acts.sys("lookup_dcookie", 0, a2=4096, b1=True)
    acts.sys("vmsplice", 1, a2=1, b1=True)
    acts.sys("name_to_handle_at", -100, "/usr", b2=True, b3=True)
    acts.end()


@row("E08", "the 32-bit door and x32", "SandboxViolation signal 31", ESCAPE)
def e08(t):
    for tool in ("int80", "x32"):
        t.dies(tool, "SandboxViolation", "signal 31", "SIGSYS", signal=31)
        t.reload()


@row("E09", "overwrites the worker, by /proc/self/exe and by its path", "refused; the file is as it was",
     ESCAPE)
def e09(t):
    acts = Acts(t)
    for path in ("/proc/self/exe", "/proc/self/map_files", PROGRAMS + "/forgesyte-worker",
                 PROGRAMS + "/forgesyte", "/proc/1/exe", f"/proc/{t.host.pid}/exe"):
        acts.no("write", path=path)
    acts.no("make", path=PROGRAMS + "/new")
    acts.end()
    t.equal(t.reload()["state"], "INITIALIZED", "the next worker")


@row("E10", "looks at descriptors 0 to 65535", "0, 1, 2 and 3, and nothing else", ESCAPE)
def e10(t):
    answer = t.call("descriptors")
    t.equal((answer.status, answer.json.get("result")), (200, {"open": "0 1 2 3"}))
    t.kept()


@row("E11", "puts words into a terminal; opens one", "refused", ESCAPE)
def e11(t):
    acts = Acts(t)
    for request in (0x5412, 0x541C, 0x100005412, 0x7FFFFFFF00005412, 0x540E):
        for fd in (0, 1, 2, 3):
            acts.sys("ioctl", fd, request, "x")
    for path in ("/dev/ptmx", "/dev/pts/ptmx", "/dev/pts/0", "/dev/tty", "/dev/tty0", "/dev/console"):
        acts.no("read", path=path)
        acts.no("write", path=path)
    acts.end()


@row("E12", "runs set-id programs, becomes root, takes priority, hides from the OOM killer", "no gain",
     ESCAPE)
def e12(t):
    acts = Acts(t)
    pid = t.health()["instances"][0]["pid"]
    before = values_of(pid)
    acts.no("setuid", path="/usr/bin/su")
    for name, values in (("setuid", (0,)), ("setgid", (0,)), ("setresuid", (0, 0, 0)),
                         ("setgroups", (1,)), ("setpriority", (0, 0, -20)),
                         ("sched_setscheduler", (0, 1, "\x01")), ("sched_setscheduler", (0, 2, "\x01")),
                         ("chown", ("/tmp", 0, 0))):
        acts.sys(name, *values)
    acts.sys("capset", "\x22\x05\x08\x20", b1=True)
    for text in ("-1000", "0", "899"):
        acts.no("write", path="/proc/self/oom_score_adj", text=text)
        acts.no("write", path=f"/proc/{pid}/oom_score_adj", text=text)
    acts.end()
    t.equal(values_of(pid), before, "the worker")
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        if name != "CapBnd" or t.level == "full":
            t.equal(int(status[name], 16), 0, name)
    t.equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
    uids = set(status["Uid"].split())
    t.equal(len(uids), 1, "users of the worker")
    t.check("0" not in uids, "the worker is root")
