"""channel.py -- the worker's end of the wire: whole frames in, whole frames out, and cancellation.

Knows: a socket, frames.   May not know: what requests mean, plugins.
Threads: send, progress, log and cancelled from any; wait, next_request, read, answer and
`interruptible` from the main one.   Owns: the socket (closed by the process's end), and the
descriptors that came with the request under way until somebody takes them.

The host is trusted here. When it closes the channel or breaks the protocol there is nobody left to
work for and nobody to tell: the process ends at once.

What a timer, a signal handler or another thread of the plugin's raises in the main thread comes up
between any two steps of Python, here too: also between the end of a read and the assignment of what
it returned. wait() can be cut short anywhere and loses nothing (see _Frame); elsewhere such an
exception is the end of the process.

How a CANCEL gets to a tool that runs: while one does, a thread looks at the socket 20 times a
second; it takes the frame and sends this process SIGURG, whose handler raises Cancelled in the main
thread, out of a sleep or a read as well. (Asking the kernel for a signal would need no thread, but
F_SETOWN is not permitted where signals are filtered.) SIGURG, because a process that forgot about
it ignores it. The thread starts with the first call, and sleeps when there is none.
"""
import _thread
import contextlib
import errno
import math
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from typing import Any, Callable, Iterator, List, NoReturn, Optional, Sequence, Tuple

from forgesyte.errors import Cancelled

from . import wire

EXIT_PROTOCOL = 71
EXIT_HOST_GONE = 219
EXIT_NO_MEMORY = 73
EXIT_INTERRUPTED = 220

PROGRESS_SECONDS = 1 / 20
LOOK_SECONDS = 1 / 20
IDLE_LOOKS = 20  # in vain, before the thread goes to sleep
WHOLE_MAX = 64 << 10  # larger requests are read field by field
PIECES_MAX = 512  # of one sendmsg; Linux takes 1024
# For map(): an argument is a tuple of one.
_ANCILLARY = (socket.CMSG_SPACE(wire.MAX_DESCRIPTORS * struct.calcsize("i")),)
_CLOEXEC = (socket.MSG_CMSG_CLOEXEC,)
_WHOLE = (socket.MSG_WAITALL,)
LOG_TEXT_MAX = 8 << 10


def give_up(code: int, why: str) -> NoReturn:
    """Says why on stderr, which is the plugin's log, and ends the process with no cleaning up."""
    try:
        os.write(2, f"forgesyte-worker: {why}\n".encode("utf-8", "replace"))
    finally:
        os._exit(code)


class _Payload(wire.Source):
    """A payload that is still in the socket."""

    def __init__(self, channel: "Channel", n: int) -> None:
        super().__init__(b"")
        self._channel = channel
        self.left = n

    def read(self, n: int) -> bytes:
        return self._channel.receive(n)


class _Frame:
    """A frame of the host's, as far as it has come in. C code puts into the lists what the kernel
    gives, with no step of Python between; all else is worked out of them, as often as it takes."""

    __slots__ = ("seq", "parts", "head", "fds", "payload")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.parts: List[Tuple[bytes, list, int, Any]] = []  # of the header, as recvmsg returns them
        self.head: Optional[wire.Header] = None  # once it is whole, and in order
        self.fds: List[int] = []  # that came with it; before that they are in the parts
        self.payload: List[bytes] = []  # unless that is read field by field

    def next(self) -> "_Frame":
        return _Frame((self.seq + 1) & 0xFFFFFFFF)

    def left(self) -> int:
        """What the header lacks."""
        return wire.HEADER_SIZE - sum([len(part[0]) for part in self.parts])


class Channel:
    def __init__(self, sock: socket.socket, generation: int, call_id: int, send_seq: int,
                 receive_seq: int, request: int) -> None:
        self._socket = sock
        self._pid = os.getpid()  # a fork of the plugin's must not speak for its parent
        self._main = threading.get_ident()
        self._generation = generation

        self._send_lock = threading.Lock()  # everything down to the next lock
        self._request = request  # under way; 0: idle
        self._call_id = call_id
        self._send_seq = send_seq
        self._next_progress = 0.0

        self._receive_lock = threading.Lock()
        self._frame = _Frame(receive_seq)  # that comes next
        self._descriptors: List[int] = []  # of the request under way
        self._calling = False
        self._cancelled = False

        self._armed: Optional[Callable[[], None]] = None  # these two: main thread only
        self._shield = 0
        self._watched = False
        self._resting = threading.Lock()  # held by the watching thread while there is nothing to do
        self._watch_idle = False

    def of_copy(self) -> "Channel":
        """In a copy of the process, whose descriptor 3 is another socket: to that, the request under
        way was the last one."""
        return Channel(self._socket, self._generation, self._call_id, 0, 0, 0)

    @property
    def socket(self) -> socket.socket:
        """To wait for a request with."""
        return self._socket

    # --- sending ----------------------------------------------------------------------------------

    def _write(self, pieces: List[Any]) -> None:
        views = [memoryview(p).cast("B") for p in pieces if len(p)]
        while views:
            try:
                n = self._socket.sendmsg(views[:PIECES_MAX])
            except OSError as e:
                if e.errno is None:
                    raise
                give_up(EXIT_HOST_GONE, f"the channel to the host: {e.strerror}")
            while views and n >= len(views[0]):
                n -= len(views[0])
                del views[0]
            if n:
                views[0] = views[0][n:]

    def _send_locked(self, kind: int, pieces: Sequence[Any]) -> None:
        length = sum(map(len, pieces))
        head = wire.Header(kind, length, self._generation, self._call_id, self._send_seq)
        self._send_seq = (self._send_seq + 1) & 0xFFFFFFFF
        self._write([wire.encode_header(head), *pieces])

    def send(self, kind: int, pieces: Sequence[Any] = ()) -> None:
        """One frame about the request under way, that does not end it; from the main thread."""
        if os.getpid() == self._pid:
            with self._send_lock:
                self._send_locked(kind, pieces)

    def answer(self, kind: int, pieces: Sequence[Any] = ()) -> None:
        """The frame that ends the request."""
        if os.getpid() != self._pid:
            os._exit(0)  # a fork of the plugin's that came back from its call: it was never asked
        self._end_call()
        with self._send_lock:
            self._send_locked(kind, pieces)
            self._request = 0

    def log(self, level: int, text: str) -> None:
        if os.getpid() != self._pid:
            return
        if len(text) > LOG_TEXT_MAX // 4:
            cut = text.encode("utf-8", "backslashreplace")[:LOG_TEXT_MAX]
            text = cut.decode("utf-8", "ignore")
        with self._shielded(), self._send_lock:
            self._send_locked(wire.LOG, wire.encode_log(level, text))

    def progress(self, done: float, total: float) -> None:
        """At most 20 a second are sent, others and those after the answer are dropped."""
        if not (math.isfinite(done) and math.isfinite(total)) or os.getpid() != self._pid:
            return
        now = time.monotonic()
        with self._shielded(), self._send_lock:
            if self._request in (wire.CALL, wire.CALL_SHM) and now >= self._next_progress:
                self._next_progress = now + PROGRESS_SECONDS
                self._send_locked(wire.PROGRESS, wire.encode_progress(done, total))

    # --- receiving --------------------------------------------------------------------------------

    @staticmethod
    def _fail_to_read(e: BaseException) -> None:
        """Ends the process, unless the exception came out of a signal handler of the plugin's."""
        if isinstance(e, MemoryError):
            give_up(EXIT_NO_MEMORY, "no memory for a request")
        of_handler = e.__traceback__ is not None and e.__traceback__.tb_next is not None
        if isinstance(e, OSError) and e.errno is not None and not of_handler:
            give_up(EXIT_HOST_GONE, f"the channel to the host: {e.strerror}")

    def _read_payload(self, parts: List[bytes], n: int) -> None:
        """Until they have n bytes. These are copied once, out of the kernel, unless a signal cuts
        in."""
        left = n - sum(map(len, parts)) if parts else n
        while left:
            try:
                parts.extend(map(self._socket.recv, (left,), _WHOLE))
            except (MemoryError, OSError) as e:
                self._fail_to_read(e)
                raise
            got = len(parts[-1])
            if not got:
                give_up(EXIT_HOST_GONE, "the host closed the channel")
            left -= got

    def receive(self, n: int) -> bytes:
        """Exactly n bytes of a large payload."""
        parts: List[bytes] = []
        self._read_payload(parts, n)
        return b"".join(parts)

    def _receive_header(self, frame: _Frame) -> None:
        """Some more of it, and the descriptors that come with its first byte: no read of anything
        else could get these."""
        parts = frame.parts
        left = frame.left() if parts else wire.HEADER_SIZE
        if left:
            try:
                parts.extend(map(self._socket.recvmsg, (left,), _ANCILLARY, _CLOEXEC))
            except (MemoryError, OSError) as e:
                self._fail_to_read(e)
                raise
            n = len(parts[-1][0])
            if not n:
                give_up(EXIT_HOST_GONE, "the host closed the channel")
            left -= n
        if not left:
            frame.head = self._checked(frame)

    def _checked(self, frame: _Frame) -> wire.Header:
        fds: List[int] = []
        data = b""
        for part, ancillary, flags, _ in frame.parts:
            data = data + part if data else part
            if flags & socket.MSG_CTRUNC:
                self._give_up_truncated()
            for level, kind, numbers in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    n = len(numbers) // 4
                    fds += struct.unpack(f"{n}i", numbers[:n * 4])
        try:
            h = wire.decode_header(data)
        except wire.WireError as e:
            give_up(EXIT_PROTOCOL, str(e))
        if (h.seq != frame.seq or h.generation != self._generation
                or h.length > wire.REQUEST_CAPS.get(h.type, -1)):
            give_up(EXIT_PROTOCOL, "a frame of the host is out of order")
        if len(fds) != wire.REQUEST_DESCRIPTORS.get(h.type, 0):
            give_up(EXIT_PROTOCOL, "a request with the wrong number of descriptors")
        frame.fds = fds
        return h

    def _give_up_truncated(self) -> NoReturn:
        """The kernel has thrown descriptors away: too many came, or no number was free for them."""
        try:
            os.dup(self._socket.fileno())
        except OSError as e:
            if e.errno == errno.EMFILE:
                give_up(EXIT_NO_MEMORY,
                        "no descriptor is free for a request: the plugin holds all")
        give_up(EXIT_PROTOCOL, "a request with too many descriptors")

    def has_begun(self) -> bool:
        """Has the next request begun to come in? Then its socket need not have more to read."""
        return bool(self._frame.parts)

    def wait(self) -> None:
        """Until there is a request: all of it, or the header of a large one. Where an exception cuts
        it short, it goes on when it is called again. A CANCEL that came too late is dropped."""
        if self._descriptors:
            self._close_descriptors()
        while True:
            frame = self._frame
            while frame.head is None:
                self._receive_header(frame)
            if frame.head.type != wire.CANCEL:
                break
            self._frame = frame.next()
        if 0 < frame.head.length <= WHOLE_MAX:
            self._read_payload(frame.payload, frame.head.length)

    def next_request(self) -> Tuple[int, wire.Source]:
        """The one that wait() has waited for."""
        frame, self._frame = self._frame, self._frame.next()
        h = frame.head
        self._descriptors = frame.fds
        with self._send_lock:
            self._request = h.type
            self._call_id = h.call_id
            self._next_progress = 0.0
        if h.length > WHOLE_MAX:
            return h.type, _Payload(self, h.length)
        return h.type, wire.Source(b"".join(frame.payload))

    def _close_descriptors(self) -> None:
        """any() goes through all of them in C: no exception comes between a pop and its close."""
        fds = self._descriptors
        any(map(os.close, map(fds.pop, [-1] * len(fds))))

    def take_descriptors(self) -> List[int]:
        """Those that came with the request under way: the caller's now. What nobody takes is
        closed when the next request comes."""
        taken, self._descriptors = self._descriptors, []
        return taken

    # --- cancellation -----------------------------------------------------------------------------

    def _look(self, wait: float = 0) -> bool:
        """Takes a CANCEL that has come in. True: this very look has found it."""
        with self._receive_lock:
            if not self._calling or self._cancelled:
                return False
            frame = self._frame
            while frame.head is None:
                if frame.left() and not select.select([self._socket], (), (), wait)[0]:
                    return False
                self._receive_header(frame)
            if frame.head.type != wire.CANCEL:
                give_up(EXIT_PROTOCOL, "a request during a call")
            self._cancelled = True  # first: a CANCEL that is seen twice came too late, and no harm
            self._frame = frame.next()
            return True

    def cancelled(self) -> bool:
        """Has the host asked to stop the call under way? Never blocks. A tool that asks, in the
        main thread, and is told so stops by itself: it is not interrupted any more."""
        if os.getpid() != self._pid:
            return self._cancelled
        if threading.get_ident() != self._main:
            if self._look():
                self._interrupt()
            return self._cancelled
        with self._shielded():
            self._look()
            if self._cancelled:
                self._armed = None
        return self._cancelled

    def _watch(self) -> None:
        looks = 0
        while True:
            time.sleep(LOOK_SECONDS)
            looks = 0 if self._calling else looks + 1
            if self._look():
                self._interrupt()
            if looks >= IDLE_LOOKS:
                self._watch_idle = True
                if not self._calling:
                    self._resting.acquire()
                self._watch_idle = False
                looks = 0

    def _interrupt(self) -> None:
        try:
            signal.pthread_kill(self._main, signal.SIGURG)
        except OSError:  # a filter that permits no signal at all: at least between two bytecodes
            if sys.version_info >= (3, 10):
                _thread.interrupt_main(signal.SIGURG)

    def _on_signal(self, _signal: int, _frame: Any) -> None:
        if self._armed and self._cancelled and not self._shield:
            interrupt, self._armed = self._armed, None
            interrupt()

    @contextlib.contextmanager
    def _shielded(self) -> Iterator[None]:
        """Keeps an interrupt of the tool out of the middle of a frame or of a lock's `with`; what
        has come meanwhile takes place at the end."""
        if threading.get_ident() != self._main:
            yield
            return
        self._shield += 1
        try:
            yield
        finally:
            self._shield -= 1
        self._on_signal(0, None)

    def _start_watching(self) -> None:
        # The plugin may have changed it since.
        if signal.getsignal(signal.SIGURG) != self._on_signal:
            signal.signal(signal.SIGURG, self._on_signal)
        if not self._watched:
            try:
                self._resting.acquire()
                threading.Thread(target=self._watch, name="forgesyte-cancel", daemon=True).start()
                self._watched = True
            except RuntimeError:  # no thread to be had: forgesyte.cancelled() still works
                self._resting.release()
        elif self._watch_idle and self._resting.locked():
            self._resting.release()

    def interruptible(self, run: Callable[[], Any],
                      interrupt: Optional[Callable[[], None]] = None) -> Any:
        """run(), which a CANCEL interrupts by calling interrupt() in the main thread, between two
        steps of whatever runs there; by default that raises Cancelled."""

        def raise_it() -> None:
            raise Cancelled("the client has left")

        self._cancelled = False
        self._calling = True
        try:
            self._start_watching()
            self._armed = interrupt or raise_it
            if self._look():
                raise_it()
            return run()
        finally:
            self._end_call()

    def _end_call(self) -> None:
        self._armed = None
        with self._receive_lock:
            self._calling = False
