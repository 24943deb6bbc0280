"""hints.py -- what to do about an exception that comes of the plugin's box, not of its code.

Knows: errno, what manifest.json can permit.   May not know: the channel.   Threads: any.

The box refuses the network, writing, and every file that nobody asked for. Python's words for that
("Address family not supported by protocol") would have an author look in the wrong place.
"""
import errno
import os
import re
import socket
from typing import Any, Iterator, Optional

from . import wire

_CHAIN_MAX = 20
_OWN_PLACES = ("/tmp", "/dev", "/proc", "/sys")  # as the box makes them


class Hints:
    def __init__(self, load: wire.Load) -> None:
        self._folder = os.path.realpath(load.dir)

    def of(self, e: BaseException) -> str:
        """". " and a sentence, or ""."""
        try:
            for each in _chain(e):
                words = self._of_one(each)
                if words:
                    return ". " + words
        except Exception:  # a hint is never worth the words that it explains
            pass
        return ""

    def _of_one(self, e: BaseException) -> str:
        if not isinstance(e, OSError):
            return ""
        if isinstance(e.filename, (str, bytes)) and not _is_of_a_socket(e):
            return self._of_file(e, os.fsdecode(e.filename))
        of_network = isinstance(e, socket.gaierror) or e.errno == errno.EAFNOSUPPORT
        if of_network and _network_is_denied():
            return ('The plugin has no network; if it needs one, ask for it in manifest.json:'
                    ' "permissions": {"network": true}')
        return ""

    def _of_file(self, e: OSError, name: str) -> str:
        path = os.path.abspath(name)
        if self._is_below(path, self._folder):
            return _READ_ONLY if self._is_write_error(e, path) else ""
        if not os.path.isabs(name) or any(self._is_below(path, place) for place in _OWN_PLACES):
            return ""
        if self._is_write_error(e, path):
            return (f'It is read-only here; list the folder in manifest.json: "permissions":'
                    f' {{"write": ["{_short(os.path.dirname(path))}"]}}, or write below /tmp')
        if e.errno in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR):
            return (f'If it is on this machine, let the plugin see it in manifest.json:'
                    f' "permissions": {{"read": ["{_short(path)}"]}}; to write there, "write" and'
                    f' the folder')
        return ""

    @staticmethod
    def _is_below(path: str, folder: str) -> bool:
        return path == folder or path.startswith(folder.rstrip("/") + "/")

    @staticmethod
    def _is_write_error(e: OSError, path: str) -> bool:
        if e.errno == errno.EROFS:
            return True
        if e.errno not in (errno.EACCES, errno.EPERM):
            return False
        if os.path.exists(path):
            return os.access(path, os.R_OK) and not os.access(path, os.W_OK)
        return os.path.isdir(os.path.dirname(path))


_READ_ONLY = ("The plugin's folder is read-only here; write below /tmp, which ends with the process,"
              ' or into a folder that manifest.json lists: "permissions": {"write": [...]}')


def _chain(e: Optional[BaseException]) -> Iterator[BaseException]:
    """It, what it came from, and what such as urllib's URLError carry as their `reason`."""
    for _ in range(_CHAIN_MAX):
        if e is None:
            return
        yield e
        reason: Any = getattr(e, "reason", None)
        if isinstance(reason, BaseException):
            yield reason
        e = e.__cause__ or e.__context__


def _is_of_a_socket(e: OSError) -> bool:
    """asyncio puts an address there."""
    return re.match(r"\('", str(e.filename)) is not None


def _network_is_denied() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    except OSError as e:
        return e.errno == errno.EAFNOSUPPORT
    return False


def _short(path: str) -> str:
    return path if len(path) <= 200 else path[:199] + "…"
