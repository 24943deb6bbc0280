"""arguments.py -- what arrived with a CALL, as the arguments of a Python function.

Knows: CALL, base64, temporary files.   May not know: handlers, plugins.   Threads: the main one.
Owns: the files it makes of bytes that are wanted as a path; they go when the call is over.

Such a file lies in /tmp: it has a suffix to be recognised by, and child processes can open it. A box
without namespaces has no /tmp, and in others it may be too small: then the bytes are in memory, sealed
against change, and the path is that of their descriptor in /proc. Where no cgroup counts what a box
has in memory it may make no such file, and gets a few from the host, which counts those.
"""
import base64
import fcntl
import json
import os
from typing import Any, Dict, List, Optional, Protocol

from forgesyte.errors import ToolError

from . import wire

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_SUFFIXES = {
    "image/gif": ".gif", "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp",
    "video/mp4": ".mp4", "video/mpeg": ".mpg", "video/quicktime": ".mov", "video/webm": ".webm",
    "video/x-matroska": ".mkv", "video/x-msvideo": ".avi",
}


class Declared(Protocol):
    bytes_names: List[str]
    path_names: List[str]
    view_names: List[str]


class HostFiles:
    """The host's files in memory (src/sandbox/plan.h, BOX_FD_FILE): nearly always there are none."""

    _PLACES = range(8, 12)

    def __init__(self) -> None:
        self._free: List[int] = []
        for fd in self._PLACES:
            try:
                if os.readlink(f"/proc/self/fd/{fd}").startswith("/memfd:forgesyte-upload"):
                    os.set_inheritable(fd, False)
                    self._free.append(fd)
            except OSError:  # none, or there is no /proc, and then no path either
                pass

    def take(self) -> Optional[int]:
        return self._free.pop() if self._free else None

    def give_back(self, fd: int) -> None:
        try:
            os.ftruncate(fd, 0)
        except OSError:  # the plugin has closed it
            return
        self._free.append(fd)


class Arguments:
    """with Arguments(call, tool) as arguments: ... arguments.values ..."""

    def __init__(self, call: wire.Call, tool: Declared, files: HostFiles) -> None:
        self._folders: List[str] = []
        self._memory: List[int] = []
        self._files = files
        self._taken: List[int] = []
        self.values: Dict[str, Any] = json.loads(call.json) if call.json else {}
        try:
            for name in tool.bytes_names:
                value = self.values.get(name)
                if isinstance(value, str) and name not in tool.path_names:
                    value = _decode(name, value)
                    self.values[name] = memoryview(value) if name in tool.view_names else value
            for blob in call.blobs:
                self.values[blob.name] = self._of_blob(blob, tool)
        except BaseException:
            self.__exit__()
            raise

    def _of_blob(self, blob: wire.Blob, tool: Declared) -> Any:
        if blob.name in tool.path_names:
            return self._path_of(blob)
        if blob.name not in tool.bytes_names and blob.name.lower().endswith(("base64", "b64")):
            return base64.b64encode(blob.data).decode()
        return blob.data

    def _path_of(self, blob: wire.Blob) -> str:
        suffix = _SUFFIXES.get(blob.content_type.partition(";")[0].strip().lower(), ".bin")
        try:
            return self._write(blob, suffix)
        except OSError as e:  # there is no /tmp, or no room in it
            try:
                return self._keep(blob, suffix)
            except OSError:
                raise e from None

    def _write(self, blob: wire.Blob, suffix: str) -> str:
        import tempfile  # few plugins need it, and each import is paid for at every start

        folder = tempfile.mkdtemp(prefix="forgesyte-")
        self._folders.append(folder)
        path = os.path.join(folder, "upload" + suffix)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
        try:
            with open(fd, "wb") as f:
                f.write(blob.data)
        except OSError:
            os.unlink(path)
            raise
        return path

    def _keep(self, blob: wire.Blob, suffix: str) -> str:
        given = self._files.take()
        if given is None:
            fd = os.memfd_create("upload" + suffix, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        else:
            self._taken.append(given)
            fd = os.dup(given)  # the path goes with the call, the file does not
        self._memory.append(fd)
        with open(fd, "wb", closefd=False) as f:
            f.seek(0)
            f.write(blob.data)
        if given is None:
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        # Whoever opens this gets a description of its own, which begins at the file's begin.
        path = f"/proc/self/fd/{fd}"
        os.stat(path)
        return path

    def __enter__(self) -> "Arguments":
        return self

    def __exit__(self, *_: Any) -> None:
        self.values = {}
        while self._memory:
            os.close(self._memory.pop())
        while self._taken:
            self._files.give_back(self._taken.pop())
        if not self._folders:
            return
        import shutil

        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)


def _decode(name: str, text: str) -> bytes:
    """The host does this where it knows that the argument is bytes: here is the long way."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as e:
        raise ToolError("InvalidArguments", f"/{name}: this is not base64: {e}") from None
