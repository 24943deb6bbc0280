"""throwaway.py -- a world of their own for hostile plugins, so that a missing wall hurts nothing else.

enter() makes it and runs a command inside: mount, pid (with its own /proc), net, ipc and uts
namespaces; the root file system read-only, /tmp, /var/tmp and /dev/shm new; cgroups below the current
ones that bound memory, processes and the share of the processor. It ends with the command, whole.
inside() tells whether this process lives in one, by looking and not by being told.

Needs root. Raises Refused, with words, where any of it can't be had: nothing hostile is run then.
"""
import ctypes
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

NAMESPACES = ("mnt", "pid", "net", "ipc", "uts")
NAME = "forgesyte-hostile"
MEMORY = 6 << 30  # for all of it together: hosts, boxes, tests
PROCESSES = 4000
CONTROLLERS = ("memory", "pids", "cpu")
UNSHARE = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
           "--mount-proc", "--net", "--ipc", "--uts")

MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
MS_NOSUID, MS_NODEV = 2, 4
LIBC = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """Hostile plugins can't be run safely here."""


def mount(source, target, kind=None, flags=0, options=None):
    parts = [None if part is None else part.encode() for part in (source, target, kind, options)]
    if LIBC.mount(parts[0], parts[1], parts[2], ctypes.c_ulong(flags), parts[3]) != 0:
        number = ctypes.get_errno()
        raise Refused(f"mount {kind or source} at {target}: {os.strerror(number)}")


# ---- cgroups -----------------------------------------------------------------------------------

def hierarchies():
    """controller -> folder of our own cgroup for it; {"": folder} of version 2 stands for all."""
    points = {}
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        for line in f:
            before, _, after = line.partition(" - ")
            kind, _, options = after.split(" ", 2)
            root, point = before.split()[3:5]
            if kind == "cgroup2":
                points[""] = (root, point)
            elif kind == "cgroup":
                points.update({name: (root, point) for name in options.strip().split(",")})
    found = {}
    with open("/proc/self/cgroup", encoding="utf-8") as f:
        for line in f:
            _, names, path = line.strip().split(":", 2)
            for name in names.split(","):
                if name in points:
                    root, point = points[name]
                    if root != "/" and path.startswith(root):
                        path = path[len(root):]
                    found[name] = point + path.rstrip("/")
    return found


class Cgroup:
    """One name below our own cgroup in each hierarchy that has a controller we want."""

    def __init__(self, folders):
        self.folders = folders

    @classmethod
    def make(cls, name, memory, processes):
        own = hierarchies()
        if "memory" in own and "pids" in own:
            made = cls({c: os.path.join(own[c], name) for c in CONTROLLERS if c in own})
            made.mkdir()
            made.write("memory", "memory.limit_in_bytes", memory)
            made.write("memory", "memory.memsw.limit_in_bytes", memory, optional=True)
            made.write("pids", "pids.max", processes)
            return made
        if "" not in own:
            raise Refused("no cgroup controllers for memory and processes")
        made = cls({c: os.path.join(own[""], name) for c in CONTROLLERS})
        try:
            with open(os.path.join(own[""], "cgroup.subtree_control"), "w", encoding="ascii") as f:
                f.write("+memory +pids +cpu")
        except OSError as e:
            raise Refused(f"cgroup {own['']} can't be divided: {e.strerror}") from e
        made.mkdir()
        made.write("memory", "memory.max", memory)
        made.write("memory", "memory.swap.max", 0, optional=True)
        made.write("pids", "pids.max", processes)
        return made

    def child(self, name, memory=None, processes=None):
        """A cgroup inside of this one. Version 2 keeps processes out of inner nodes, so that only
        children have any."""
        made = Cgroup({c: os.path.join(folder, name) for c, folder in self.folders.items()})
        if len(set(self.folders.values())) == 1:
            self.write("memory", "cgroup.subtree_control", "+memory +pids +cpu")
        made.mkdir()
        if memory:
            version1 = os.path.exists(made.folders["memory"] + "/memory.limit_in_bytes")
            made.write("memory", "memory.limit_in_bytes" if version1 else "memory.max", memory)
        if processes:
            made.write("pids", "pids.max", processes)
        return made

    def mkdir(self):
        for folder in sorted(set(self.folders.values())):
            try:
                os.makedirs(folder, exist_ok=True)
            except OSError as e:
                raise Refused(f"cgroup {folder}: {e.strerror}") from e

    def write(self, controller, file, value, optional=False):
        path = os.path.join(self.folders[controller], file)
        try:
            with open(path, "w", encoding="ascii") as f:
                f.write(str(value))
        except OSError as e:
            if not optional:
                raise Refused(f"{path}: {e.strerror}") from e

    def enter(self):
        for folder in set(self.folders.values()):
            with open(os.path.join(folder, "cgroup.procs"), "w", encoding="ascii") as f:
                f.write("0")

    def below(self):
        """Every cgroup in it, as paths from it, with the controller."""
        found = set()
        for controller, top in self.folders.items():
            for folder, _, _ in os.walk(top):
                if folder != top:
                    found.add((controller, os.path.relpath(folder, top)))
        return found

    def remove(self, patience=5):
        """From the leaves up; an emptied one may be busy for a moment."""
        end = time.monotonic() + patience
        for top in set(self.folders.values()):
            for folder, _, _ in os.walk(top, topdown=False):
                while True:
                    try:
                        os.rmdir(folder)
                    except FileNotFoundError:
                        pass
                    except OSError:
                        if time.monotonic() < end:
                            time.sleep(0.02)
                            continue
                        print(f"left behind: {folder}", file=sys.stderr)
                    break


# ---- from outside ------------------------------------------------------------------------------

def identities():
    return {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES}


def enter(command):
    """Runs command, which must begin with inside(), in a world of its own. Its exit status."""
    if os.geteuid() != 0:
        raise Refused("namespaces and cgroups of its own need root")
    try:
        subprocess.run([*UNSHARE, "--", "true"], check=True, stderr=subprocess.PIPE)
    except FileNotFoundError as e:
        raise Refused(f"no {e.filename}") from e
    except subprocess.CalledProcessError as e:
        raise Refused(e.stderr.decode(errors="replace").strip() or str(e)) from e
    cgroup = Cgroup.make(f"{NAME}-{os.getpid()}", MEMORY, PROCESSES)
    try:
        watch = cgroup.child("watch")
        outside = ",".join(f"{name}={mark}" for name, mark in identities().items())
        process = subprocess.Popen(
            [*UNSHARE, "--", *command],
            env={**os.environ, "HOSTILE_OUTSIDE": outside,
                 "HOSTILE_CGROUP": ",".join(f"{c}={f}" for c, f in cgroup.folders.items())},
            preexec_fn=watch.enter)
        try:
            return process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
    finally:
        cgroup.remove()


# ---- inside ------------------------------------------------------------------------------------

def pairs(variable):
    return dict(part.split("=", 1) for part in os.environ.get(variable, "").split(",") if "=" in part)


def inside():
    """The cgroup of the world that this process is in. Raises Refused when it is in none."""
    outside, now = pairs("HOSTILE_OUTSIDE"), identities()
    for name in NAMESPACES:
        if not outside.get(name) or outside[name] == now[name]:
            raise Refused(f"not in a {name} namespace of its own")
    if os.getpid() != 1:
        raise Refused("not the first process of its pid namespace")
    folders = pairs("HOSTILE_CGROUP")
    own = hierarchies()
    for controller in ("memory", "pids"):
        mine = own.get(controller) or own.get("") or ""
        if not folders.get(controller) or \
                not mine.startswith(folders[controller] + "/") or \
                not re.search(rf"/{NAME}-\d+/", mine + "/"):
            raise Refused(f"not in a {controller} cgroup of its own")
    return Cgroup(folders)


def furnish(keep):
    """New scratch folders, a root that can't be written, lo up. keep: folders that stay in sight."""
    kept = [(folder, os.open(folder, os.O_PATH)) for folder in keep]
    socket.sethostname("throwaway")
    for folder, options in (("/tmp", "mode=1777,size=2g"), ("/var/tmp", "mode=1777,size=256m"),
                            ("/dev/shm", "mode=1777,size=1g")):
        mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, options)
    for folder, fd in kept:
        if not os.path.exists(folder):
            os.makedirs(folder)
            mount(f"/proc/self/fd/{fd}", folder, flags=MS_BIND | MS_REC)
        os.close(fd)
    mount(None, "/", flags=MS_REMOUNT | MS_BIND | MS_RDONLY)
    bring_up("lo", "127.0.0.1", "255.0.0.0")
    # Where clouds keep their secrets: here it is ours, and nobody may get there.
    bring_up("lo:1", "169.254.169.254", "255.255.255.255")


def bring_up(name, address, mask):
    siocsifaddr, siocsifnetmask, siocsifflags, up = 0x8916, 0x891C, 0x8914, 0x1 | 0x40
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for request, text in ((siocsifaddr, address), (siocsifnetmask, mask)):
            ask = struct.pack("16sH2s4s8x", name.encode(), socket.AF_INET, b"",
                              socket.inet_aton(text))
            ioctl(s, request, ask)
        ioctl(s, siocsifflags, struct.pack("16sH14x", name.encode(), up))


def ioctl(s, request, data):
    buffer = ctypes.create_string_buffer(data, 40)
    if LIBC.ioctl(s.fileno(), ctypes.c_ulong(request), buffer) != 0:
        raise Refused(f"set up {data[:16].strip(bytes(1)).decode()}: {os.strerror(ctypes.get_errno())}")


def as_init(work):
    """Runs work() in a child and reaps whatever falls to the first process. The exit status."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            status = work()
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(130))  # and the kernel ends all the others
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status) & 0xff
