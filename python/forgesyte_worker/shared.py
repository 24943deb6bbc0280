"""shared.py -- the bytes arguments of a call as objects: out of its frame, or out of shared memory.

Knows: descriptors, mappings.   May not know: the wire's layouts, tools.   Threads: the main one.
Owns: the mapping; the descriptor that comes with a call, until it is read or mapped.

What is wanted as bytes is read from the descriptor: one copy, and nothing is mapped. What is wanted
as a memoryview is mapped, and not copied. The mapping stays: the next call brings the same file,
nearly always. But then the host has written other bytes there. If the plugin still holds views when
its call is over (a numpy array that it keeps, one in its answer), what they see is replaced by a
copy of its own, at the same address and in one step: nobody who reads there notices, and it counts
as the plugin's memory.

Python's mmap can neither map over something nor do without a descriptor of its own, which the
plugin would find open: so libc does it, called through ctypes. An interpreter without ctypes gets
its memoryviews of bytes.
"""
import mmap
import os
import weakref
from typing import Any, Collection, List, NamedTuple, Optional, Tuple

from . import wire
from .channel import EXIT_NO_MEMORY, EXIT_PROTOCOL, give_up

_MAP_POPULATE = 0x8000
_MREMAP_MAYMOVE, _MREMAP_FIXED = 1, 2
_FAILED = -1


class _Libc:
    def __init__(self) -> None:
        import ctypes  # numpy has imported it too

        libc = ctypes.CDLL(None, use_errno=True)
        self.ctypes = ctypes
        self.mmap, self.mremap, self.munmap = libc.mmap, libc.mremap, libc.munmap
        pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        self.mmap.argtypes = [pointer, size, number, number, number, ctypes.c_long]
        self.mremap.argtypes = [pointer, size, size, number, pointer]
        self.munmap.argtypes = [pointer, size]
        self.mmap.restype = self.mremap.restype = ctypes.c_ssize_t

    def map_shared(self, fd: int, n: int) -> int:
        flags = mmap.MAP_SHARED | _MAP_POPULATE
        return self.mmap(None, n, mmap.PROT_READ, flags, fd, 0)

    def make_private(self, at: int, n: int) -> bool:
        """Puts a copy in place of what is mapped there."""
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        copy = self.mmap(None, n, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
        if copy == _FAILED:
            return False
        self.ctypes.memmove(copy, at, n)
        return self.mremap(copy, n, n, _MREMAP_MAYMOVE | _MREMAP_FIXED, at) == at

    def object_at(self, at: int, n: int) -> Any:
        """Has the buffer protocol, and lives as long as any view of it does."""
        return (self.ctypes.c_char * n).from_address(at)


class _Mapping(NamedTuple):
    libc: _Libc
    at: int
    size: int
    file: Tuple[int, int]  # its device and inode, which no other file has while it is mapped

    def unmap(self, *_: Any) -> None:
        self.libc.munmap(self.at, self.size)


class SharedMemory:
    """A worker has one, for all its calls: with memory: memory.blobs(...), then the call."""

    def __init__(self) -> None:
        self._libc: Optional[_Libc] = None
        self._mapping: Optional[_Mapping] = None
        self._lent: Optional[weakref.ref] = None  # to the object that all views of this call have
        self._kept: List[weakref.ref] = []

    def blobs(self, blobs: List[wire.Blob], fd: Optional[int],
              view_names: Collection[str]) -> List[wire.Blob]:
        """With their bytes, or memoryviews for these names. Takes the descriptor of a CALL_SHM."""
        try:
            views = None
            if fd is not None:
                views = self._views(blobs, fd, any(b.name in view_names for b in blobs))
            return [b._replace(data=_data(b.data, fd, views, b.name in view_names)) for b in blobs]
        except MemoryError:
            give_up(EXIT_NO_MEMORY, "no memory for a request")
        finally:
            if fd is not None:
                os.close(fd)

    def _views(self, blobs: List[wire.Blob], fd: int, wanted: bool) -> Optional[memoryview]:
        size = max((b.data.offset + b.data.size for b in blobs), default=0)
        stat = os.fstat(fd)
        if size > stat.st_size:
            give_up(EXIT_PROTOCOL, "an argument outside its memory")
        if not wanted or size == 0 or not self._map(fd, size, (stat.st_dev, stat.st_ino)):
            return None
        lent = self._mapping.libc.object_at(self._mapping.at, size)
        self._lent = weakref.ref(lent)
        return memoryview(lent).cast("B").toreadonly()

    def _map(self, fd: int, size: int, file: Tuple[int, int]) -> bool:
        old = self._mapping
        if old is not None and old.file == file and old.size >= size:
            return True
        try:
            self._libc = self._libc or _Libc()
        except (ImportError, OSError, AttributeError):
            return False
        at = self._libc.map_shared(fd, size)
        if at == _FAILED:
            return False
        if old is not None:
            old.unmap()
        self._mapping = _Mapping(self._libc, at, size, file)
        return True

    def __enter__(self) -> "SharedMemory":
        return self

    def __exit__(self, *_: Any) -> None:
        """Before the call is answered, since after that the host writes there again."""
        lent = self._lent() if self._lent is not None else None
        self._lent = None
        if lent is None:
            return
        mapping, self._mapping = self._mapping, None
        if not mapping.libc.make_private(mapping.at, mapping.size):
            give_up(EXIT_NO_MEMORY, "no memory for the arguments that the plugin keeps")
        # Not before the last view has gone.
        self._kept = [ref for ref in self._kept if ref() is not None]
        self._kept.append(weakref.ref(lent, mapping.unmap))


def _data(data: Any, fd: Optional[int], views: Optional[memoryview], as_view: bool) -> Any:
    if isinstance(data, wire.Range):
        if as_view and views is not None:
            return views[data.offset:data.offset + data.size]
        data = _read(fd, data)
    return memoryview(data) if as_view else data


def _read(fd: Optional[int], where: wire.Range) -> bytes:
    data = os.pread(fd, where.size, where.offset)
    while len(data) < where.size:
        more = os.pread(fd, where.size - len(data), where.offset + len(data))
        if not more:
            give_up(EXIT_PROTOCOL, "an argument outside its memory")
        data += more
    return data
