"""wire.py -- frames and messages of docs/PROTOCOL.md, byte for byte.

Knows: layouts, caps.   May not know: sockets, requests' meaning, plugins.
Threads: any (values and functions only).

Decoders take a source of bytes, so that a CALL of many megabytes can be read from a socket field by
field, each bytes argument straight into its own object, and the very same code can be fed and
fuzzed from memory.
"""
import math
import struct
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

MAGIC = 0x45475246
VERSION = 1
HEADER_SIZE = 32

HELLO, LOAD, INIT, VALIDATE, CALL, CANCEL, PING, SHUTDOWN, CHECK, CALL_SHM, FORK = range(1, 12)
HELLO_OK, META, READY, RESULT, ERROR, PROGRESS, LOG, PONG, REPORT, FORKED, ENDED = range(64, 75)

# The largest payload of what the host may send to this runtime; others are refused.
REQUEST_CAPS = {INIT: 0, VALIDATE: 0, CALL: 128 << 20, CANCEL: 0, SHUTDOWN: 0,
                CALL_SHM: 128 << 20, FORK: 0}
# How many descriptors come with it, where there are any.
REQUEST_DESCRIPTORS = {CALL_SHM: 1, FORK: 3}
MAX_DESCRIPTORS = 3
META_MAX = 1 << 20

DECLARED, EXCEPTION, ABI, IMPORT = range(4)  # kinds of ERROR
EXITED, KILLED, DUMPED = range(1, 4)  # how a process ENDED

_HEADER = struct.Struct("<IBBHIIQI")
_U16, _U32, _I64, _F64 = (struct.Struct("<" + code) for code in "HIqd")
_PROGRESS = struct.Struct("<dd")
_ENDED = struct.Struct("<IBBQ")


class WireError(Exception):
    """Bytes that no correct peer sends."""


def _crc32c_table() -> Tuple[int, ...]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_CRC = _crc32c_table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


# --- frames ---------------------------------------------------------------------------------------


class Header(NamedTuple):
    type: int
    length: int
    generation: int
    call_id: int
    seq: int


def encode_header(h: Header) -> bytes:
    head = _HEADER.pack(MAGIC, VERSION, h.type, 0, h.length, h.generation, h.call_id, h.seq)
    return head + _U32.pack(crc32c(head))


def decode_header(data: bytes) -> Header:
    if len(data) != HEADER_SIZE:
        raise WireError("a header is incomplete")
    magic, version, kind, flags, length, generation, call_id, seq = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise WireError(f"bad magic 0x{magic:08x}")
    if version != VERSION:
        raise WireError(f"frame version {version}, not {VERSION}")
    if _U32.unpack_from(data, 28)[0] != crc32c(data[:28]):
        raise WireError("header checksum is wrong")
    if flags:
        raise WireError(f"reserved flags 0x{flags:04x}")
    return Header(kind, length, generation, call_id, seq)


# --- reading fields -------------------------------------------------------------------------------


class Source:
    """A payload in memory. Derive and override read() to read one from elsewhere."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.left = len(data)

    def read(self, n: int) -> bytes:
        """Exactly n bytes, n <= left."""
        self._at += n
        return self._data[self._at - n:self._at]

    def take(self, n: int) -> bytes:
        if n > self.left:
            raise WireError("a length is larger than what follows")
        self.left -= n
        return self.read(n) if n else b""

    def u8(self, most: int, least: int = 0) -> int:
        value = self.take(1)[0]
        if not least <= value <= most:
            raise WireError(f"{value} is not one of {least} to {most}")
        return value

    def u16(self) -> int:
        return _U16.unpack(self.take(2))[0]

    def u32(self) -> int:
        return _U32.unpack(self.take(4))[0]

    def i64(self) -> int:
        return _I64.unpack(self.take(8))[0]

    def f64(self) -> float:
        value = _F64.unpack(self.take(8))[0]
        if not math.isfinite(value):
            raise WireError("a number is not finite")
        return value

    def str(self) -> str:
        data = self.take(self.u32())
        if b"\0" in data:
            raise WireError("a text contains NUL")
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise WireError("a text is not UTF-8") from None

    def count(self, least: int) -> int:
        """How many items follow, each of which takes at least that many bytes."""
        n = self.u16()
        if n * least > self.left:
            raise WireError("a count is larger than what follows")
        return n

    def end(self) -> None:
        if self.left:
            raise WireError("bytes are left over")


# --- messages to the worker -----------------------------------------------------------------------


class Load(NamedTuple):
    runtime: str
    plugin: str
    dir: str
    entrypoint: str
    interpreter: str
    models: Dict[str, str]


class Blob(NamedTuple):
    name: str
    content_type: str
    data: Any  # bytes, or what has the buffer protocol; Range in a CALL_SHM


class Range(NamedTuple):
    """Where it is in the shared memory."""
    offset: int
    size: int


class Call(NamedTuple):
    tool: str
    json: str
    scalars: List[Tuple[str, Any]]
    blobs: List[Blob]


def decode_load(s: Source) -> Load:
    texts = [s.str() for _ in range(5)]
    models = {}
    for _ in range(s.count(8)):
        name = s.str()
        models[name] = s.str()
    s.end()
    return Load(*texts, models)


def _decode_scalar(s: Source) -> Tuple[str, Any]:
    name = s.str()
    kind = s.u8(4, 1)
    if kind == 1:
        return name, bool(s.u8(1))
    return name, (s.i64, s.f64, s.str)[kind - 2]()


def _decode_blobs(s: Source) -> List[Blob]:
    blobs = []
    for _ in range(s.count(12)):
        name = s.str()
        content_type = s.str()
        blobs.append(Blob(name, content_type, s.take(s.u32())))
    return blobs


def _decode_ranges(s: Source) -> List[Blob]:
    blobs = []
    for _ in range(s.count(16)):
        name = s.str()
        content_type = s.str()
        where = Range(s.u32(), s.u32())
        if where.offset + where.size > REQUEST_CAPS[CALL]:
            raise WireError("a range lies beyond the largest call")
        blobs.append(Blob(name, content_type, where))
    return blobs


def _decode_call(s: Source, decode_blobs: Callable[[Source], List[Blob]]) -> Call:
    tool = s.str()
    json = s.str()
    scalars = [_decode_scalar(s) for _ in range(s.count(6))]
    blobs = decode_blobs(s)
    s.end()
    return Call(tool, json, scalars, blobs)


def decode_call(s: Source) -> Call:
    return _decode_call(s, _decode_blobs)


def decode_call_shm(s: Source) -> Call:
    return _decode_call(s, _decode_ranges)


# --- messages to the host: each is a list of pieces to be sent one after the other ----------------


def text(value: str) -> bytes:
    """A str field. What no text of the wire may contain is spelled out."""
    data = value.replace("\0", "\\x00").encode("utf-8", "backslashreplace")
    return _U32.pack(len(data)) + data


def encode_meta(json: str) -> List[bytes]:
    return [text(json)]


def encode_error(kind: int, type: str, words: str, traceback: str) -> List[bytes]:
    return [bytes((kind,)) + text(type) + text(words) + text(traceback)]


def encode_progress(done: float, total: float) -> List[bytes]:
    return [_PROGRESS.pack(done, total)]


def encode_log(level: int, words: str) -> List[bytes]:
    return [bytes((level,)) + text(words)]


def encode_forked(pid: int) -> List[bytes]:
    return [_U32.pack(pid)]


def encode_ended(pid: int, how: int, status: int, peak: int) -> List[bytes]:
    return [_ENDED.pack(pid, how, status, peak)]


def encode_result(json: bytes, blobs: Sequence[Blob]) -> List[Any]:
    """json: UTF-8. The blobs' data are not copied."""
    pieces: List[Any] = [_U32.pack(len(json)), json, _U16.pack(len(blobs))]
    for b in blobs:
        pieces.append(text(b.name) + text(b.content_type) + _U32.pack(len(b.data)))
        pieces.append(b.data)
    return pieces
