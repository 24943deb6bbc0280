"""prefork.py -- copies of a process that has imported a plugin: may there be any, and their making.

Knows: processes, descriptors, /proc.   May not know: requests, what plugins are.
Threads: the main one, of a process that has no other.   Owns: its children, until they are reaped.

A fork copies memory and one thread. Whatever else a plugin has begun when it was imported would be
missing in the copy, or be shared by all of them: then there is none, and the reason is told.
"""
import gc
import os
import select
import signal
import stat
import sys
import threading
from typing import Any, Dict, List, NamedTuple, Tuple

from . import wire

OWN_FDS = 4  # stdin, stdout, stderr, the wire
GPU_DEVICES = ("/dev/nvidia", "/dev/dxg", "/dev/kfd")
CUDA_ERROR_NOT_INITIALIZED = 3
NAMES_MAX = 3
_STATELESS = {os.makedev(1, minor) for minor in (3, 5, 7, 8, 9)}  # null zero full random urandom


class Refused(Exception):
    """A copy would not be whole; in words that go on from "prefork is refused: "."""


class End(NamedTuple):
    pid: int
    how: int
    status: int
    peak_bytes: int


class Template:
    def __init__(self) -> None:
        self._children: Dict[int, int] = {}  # pidfd -> pid
        self._sigchld: Any = None
        self._frozen = False

    # --- forking ----------------------------------------------------------------------------------

    def fork(self, fds: List[int]) -> int:
        """The copy's pid; 0 in the copy, whose channel, stdout and stderr are the three of fds.
        These are closed in both. Raises Refused."""
        try:
            files = self._check(fds)
            pid = self._fork()
        except BaseException as e:  # whatever the plugin's own handlers and modules may raise
            _close(fds)
            raise e if isinstance(e, Refused) else Refused(f"{type(e).__name__}: {e}") from None
        if pid:
            _close(fds)
            return pid
        self._become_copy(fds, files)
        return 0

    def _check(self, fds: List[int]) -> List[int]:
        if min(fds) < OWN_FDS:
            raise Refused("it has closed its standard streams")
        _check_gpu()
        files = _files_to_reopen({*fds, *self._children})
        if len(_threads()) > 1:
            self._settle()
            _check_threads()
        return files

    def _settle(self) -> None:
        """Libraries that can be forked put their threads away before one (OpenBLAS does): so a copy
        is made that comes to nothing, and who is left is none of these."""
        self._take_sigchld()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.kill(pid, signal.SIGKILL)  # whatever the plugin does in a child before that
        os.waitpid(pid, 0)

    def _fork(self) -> int:
        if not self._frozen:
            # The collector's marks are in the objects: looking for garbage would copy their pages.
            gc.collect()
            gc.freeze()
            self._frozen = True
        self._take_sigchld()
        pid = os.fork()
        if pid:
            self._children[os.pidfd_open(pid)] = pid
        return pid

    def _take_sigchld(self) -> None:
        """A plugin that reaps or ignores children would take the news of ours away."""
        current = signal.getsignal(signal.SIGCHLD)
        if current not in (None, signal.SIG_DFL):
            self._sigchld = current
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def _become_copy(self, fds: List[int], files: List[int]) -> None:
        for fd, place in zip(fds, (3, 1, 2)):
            os.dup2(fd, place, inheritable=place != 3)
        _close([*fds, *self._children])
        self._children = {}
        if self._sigchld is not None:
            signal.signal(signal.SIGCHLD, self._sigchld)
        for fd in files:
            _reopen(fd)
        for name in ("random", "numpy.random"):
            seed = getattr(sys.modules.get(name), "seed", None)
            if seed is not None:
                seed()

    # --- waiting ----------------------------------------------------------------------------------

    def wait(self, sock: Any) -> List[int]:
        """Until there is something to read, or children have ended: these, for reap()."""
        while self._children:
            poll = select.poll()
            for fd in (sock.fileno(), *self._children):
                poll.register(fd, select.POLLIN)
            ready = [fd for fd, _ in poll.poll()]
            ended = [fd for fd in ready if fd in self._children]
            if ended or sock.fileno() in ready:
                return ended
        return []

    def end(self) -> None:
        """There will be no copies: one that the host did not take is dead, or about to be."""
        _close([*self._children])
        self._children = {}

    def reap(self, pidfd: int) -> End:
        pid = self._children.pop(pidfd)
        os.close(pidfd)
        _, status, usage = os.wait4(pid, 0)
        peak = usage.ru_maxrss * 1024
        if os.WIFEXITED(status):
            return End(pid, wire.EXITED, os.WEXITSTATUS(status), peak)
        how = wire.DUMPED if os.WCOREDUMP(status) else wire.KILLED
        return End(pid, how, os.WTERMSIG(status), peak)


def _close(fds: List[int]) -> None:
    for fd in fds:
        os.close(fd)


# --- threads --------------------------------------------------------------------------------------


def _threads() -> List[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        raise Refused("there is no /proc in its box, which would tell its threads") from None


def _check_threads() -> None:
    names = _names_of_threads()
    if names:
        listed = ", ".join(names[:NAMES_MAX]) + (", ..." if len(names) > NAMES_MAX else "")
        raise Refused(f"it has started {len(names)} thread{'s' if len(names) > 1 else ''}"
                      f" when it was imported ({listed})")


def _names_of_threads() -> List[str]:
    known = {t.native_id: t.name for t in threading.enumerate()}
    names = []
    for tid in _threads():
        if tid != os.getpid():
            names.append(known.get(tid) or _read(f"/proc/self/task/{tid}/comm").strip())
    return names


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:  # a thread that has just ended
        return "?"


# --- the GPU --------------------------------------------------------------------------------------


def _check_gpu() -> None:
    """CUDA cannot be forked once it is initialized; a library that is only mapped can."""
    mapped = {line.split(maxsplit=5)[5] for line in _read("/proc/self/maps").splitlines()
              if "/" in line}
    for path in [*mapped, *(target for _, target in _descriptors())]:
        if path.startswith(GPU_DEVICES):
            raise Refused("it has taken the GPU when it was imported")
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_initialized():
        raise Refused("torch has taken the GPU when it was imported")
    for path in mapped:
        if os.path.basename(path).startswith("libcuda.so") and _is_cuda_initialized(path):
            raise Refused("it has initialized CUDA when it was imported")


def _is_cuda_initialized(path: str) -> bool:
    import ctypes

    n = ctypes.c_int()
    result = ctypes.CDLL(path, mode=os.RTLD_NOLOAD).cuDeviceGetCount(ctypes.byref(n))
    return result != CUDA_ERROR_NOT_INITIALIZED


# --- descriptors ----------------------------------------------------------------------------------


def _descriptors() -> List[Tuple[int, str]]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append((int(name), os.readlink(f"/proc/self/fd/{name}")))
        except OSError:  # the listing's own
            pass
    return found


def _files_to_reopen(ours: set) -> List[int]:
    """The plugin's own descriptors that a copy can have, each with a position of its own."""
    import fcntl

    files = []
    for fd, target in _descriptors():
        if fd < OWN_FDS or fd in ours:
            continue
        st = os.fstat(fd)
        if stat.S_ISCHR(st.st_mode) and st.st_rdev in _STATELESS:
            continue
        reads = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        if not (reads and (stat.S_ISREG(st.st_mode) or stat.S_ISDIR(st.st_mode))):
            raise Refused(f"it holds {target} open since it was imported, which instances would"
                          " share")
        os.close(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC))
        files.append(fd)
    return files


def _reopen(fd: int) -> None:
    position = os.lseek(fd, 0, os.SEEK_CUR)
    new = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    os.lseek(new, position, os.SEEK_SET)
    os.dup2(new, fd, inheritable=os.get_inheritable(fd))
    os.close(new)
