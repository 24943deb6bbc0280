"""fake_host.py -- the host's side of the wire, for one Python plugin without any box.

Starts the runtime as forgesyte-worker does after LOAD: descriptor 3 is the wire, 0 is /dev/null,
1 and 2 go to a file. The layout of frames is written here a second time, from docs/PROTOCOL.md, so
that a mistake in python/ cannot hide itself.
"""
import base64
import contextlib
import os
import socket
import struct
import subprocess
import tempfile
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LIBDIR = os.path.join(ROOT, "python")
PLUGINS = os.path.join(HERE, "plugins")
PYTHON = os.environ.get("FORGESYTE_TEST_PYTHON", "/usr/bin/python3")
SECONDS = 20  # after which a runtime that says nothing hangs

LOAD, INIT, VALIDATE, CALL, CANCEL, SHUTDOWN, CALL_SHM = 2, 3, 4, 5, 6, 8, 10
META, READY, RESULT, ERROR, PROGRESS, LOG = 65, 66, 67, 68, 69, 70
NAMES = {META: "META", READY: "READY", RESULT: "RESULT", ERROR: "ERROR", PROGRESS: "PROGRESS",
         LOG: "LOG"}
GENERATION = 7


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def text(value):
    data = value.encode()
    return struct.pack("<I", len(data)) + data


def load_payload(folder, entrypoint, models=None, interpreter="", name="tested"):
    payload = b"".join(map(text, ("python", name, folder, entrypoint, interpreter)))
    payload += struct.pack("<H", len(models or {}))
    for model, path in (models or {}).items():
        payload += text(model) + text(path)
    return payload


def call_payload(tool, json_text="{}", blobs=()):
    payload = text(tool) + text(json_text) + struct.pack("<HH", 0, len(blobs))
    for name, content_type, data in blobs:
        payload += text(name) + text(content_type) + struct.pack("<I", len(data)) + data
    return payload


class Area:
    """Shared memory as the host makes it, one for as many calls as are made with it."""

    def __init__(self, size=64 << 20):
        self.fd = os.memfd_create("area", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, size)
        self.given = os.open(f"/proc/self/fd/{self.fd}", os.O_RDONLY | os.O_CLOEXEC)

    def close(self):
        os.close(self.fd)
        os.close(self.given)

    def payload(self, tool, json_text="{}", blobs=(), gap=64):
        payload = text(tool) + text(json_text) + struct.pack("<HH", 0, len(blobs))
        at = 0
        for name, content_type, data in blobs:
            os.pwrite(self.fd, data, at)
            payload += text(name) + text(content_type) + struct.pack("<II", at, len(data))
            at += len(data) + gap
        return payload


class Fields:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, code):
        value, = struct.unpack_from("<" + code, self.data, self.at)
        self.at += struct.calcsize("<" + code)
        return value

    def bytes(self):
        n = self.number("I")
        self.at += n
        assert self.at <= len(self.data), "a length is larger than the payload"
        return self.data[self.at - n:self.at]

    def str(self):
        value = self.bytes().decode()
        assert "\0" not in value, "a text contains NUL"
        return value

    def end(self):
        assert self.at == len(self.data), "bytes are left over"


class Error(NamedTuple):
    kind: int
    type: str
    text: str
    traceback: str


class Result(NamedTuple):
    json: str
    blobs: dict


class Died(Exception):
    """The runtime's process ended; .status is as os.waitstatus_to_exitcode has it."""

    def __init__(self, status, log):
        super().__init__(f"the runtime ended with {status}\n{log}")
        self.status = status
        self.log = log


def parse_error(payload):
    f = Fields(payload)
    error = Error(f.number("B"), f.str(), f.str(), f.str())
    f.end()
    assert len(payload) <= 64 << 10
    return error


def parse_result(payload):
    f = Fields(payload)
    json_text = f.str()
    blobs = {}
    for _ in range(f.number("H")):
        name, content_type = f.str(), f.str()
        blobs[name] = (content_type, f.bytes())
    f.end()
    return Result(json_text, blobs)


class Runtime:
    """One running plugin. Use as a context manager."""

    def __init__(self, folder, entrypoint="plugin.py", max_output=32 << 20, models=None,
                 interpreter="", python=PYTHON, env=None, payload=None):
        if not os.path.isabs(folder):
            folder = os.path.join(PLUGINS, folder)
        self.log_file = tempfile.TemporaryFile()
        self.progress, self.logs = [], []
        self.meta = None
        self.call_id, self.sent, self.received = 1000, 2, 1  # HELLO and LOAD; HELLO_OK
        payload = payload or load_payload(folder, entrypoint, models, interpreter)
        state = base64.b64encode(struct.pack("<IQIIQ", GENERATION, self.call_id, self.received,
                                             self.sent, max_output) + payload).decode()
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(SECONDS)
        self.process = self._spawn([python, "-B", os.path.join(LIBDIR, "forgesyte_worker"), state],
                                   theirs, env)
        theirs.close()

    def _spawn(self, argv, theirs, env):
        wire = os.dup(theirs.fileno())

        def wire_to_3():
            os.dup2(wire, 3)

        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", **(env or {})}
        try:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log_file,
                                    stderr=self.log_file, env=env, cwd="/", close_fds=False,
                                    preexec_fn=wire_to_3)
        finally:
            os.close(wire)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.sock.close()
        self.log_file.close()

    # --- frames -----------------------------------------------------------------------------------

    def send(self, kind, payload=b"", new_id=True, fds=(), **lies):
        if new_id:
            self.call_id += 1
        head = struct.pack("<IBBHIIQI", 0x45475246, 1, kind, 0, lies.get("length", len(payload)),
                           lies.get("generation", GENERATION), self.call_id,
                           lies.get("seq", self.sent))
        self.sent += 1
        frame = head + struct.pack("<I", crc32c(head)) + payload
        with contextlib.suppress(BrokenPipeError):  # a runtime that gave up on the header
            self.sock.sendall(frame[socket.send_fds(self.sock, [frame], fds):])

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            part = self.sock.recv(min(n - len(data), 1 << 20))
            if not part:
                raise Died(self.process.wait(SECONDS), self.log())
            data += part
        return data

    def frame(self):
        head = self._exactly(32)
        magic, version, kind, flags, n, generation, call_id, seq = struct.unpack_from(
            "<IBBHIIQI", head)
        assert (magic, version, flags, generation) == (0x45475246, 1, 0, GENERATION)
        assert struct.unpack_from("<I", head, 28)[0] == crc32c(head[:28])
        assert seq == self.received, f"sequence number {seq}, not {self.received}"
        assert call_id == self.call_id or kind == LOG, f"{NAMES.get(kind)} with another call's id"
        self.received += 1
        return kind, self._exactly(n)

    def until(self, *kinds):
        """The next frame of one of these kinds; PROGRESS and LOG are kept."""
        while True:
            kind, payload = self.frame()
            if kind == PROGRESS and kind not in kinds:
                self.progress.append(struct.unpack("<dd", payload))
            elif kind == LOG and kind not in kinds:
                f = Fields(payload)
                self.logs.append((f.number("B"), f.str()))
            else:
                assert kind in kinds, f"{NAMES.get(kind, kind)} instead of {kinds}"
                return kind, payload

    # --- requests ---------------------------------------------------------------------------------

    def answer(self):
        """The Error or None that ends LOAD, INIT or VALIDATE; META is kept."""
        kind, payload = self.until(META, READY, ERROR)
        if kind == META:
            assert self.meta is None, "a second META"
            f = Fields(payload)
            self.meta = f.str()
            f.end()
            kind, payload = self.until(READY, ERROR)
        return parse_error(payload) if kind == ERROR else None

    def start(self):
        """LOAD, INIT and VALIDATE; the first Error, or None."""
        error = self.answer()
        for request in (INIT, VALIDATE):
            if error is None:
                self.send(request)
                error = self.answer()
        return error

    def call(self, tool, json_text="{}", *blobs):
        self.send(CALL, call_payload(tool, json_text, blobs))
        return self.outcome()

    def call_shared(self, area, tool, json_text="{}", *blobs):
        self.send(CALL_SHM, area.payload(tool, json_text, blobs), fds=[area.given])
        return self.outcome()

    def outcome(self):
        kind, payload = self.until(RESULT, ERROR)
        return parse_result(payload) if kind == RESULT else parse_error(payload)

    def shutdown(self):
        self.send(SHUTDOWN)
        return self.process.wait(SECONDS)

    def log(self):
        self.log_file.seek(0)
        return self.log_file.read().decode("utf-8", "replace")
