"""canaries.py -- things that no plugin may get at, and the proof that none did.

Files that everybody may read and write, so that only the box stands before them, watched with
inotify: opening one is enough. Sockets that everybody may connect to: TCP, UDP, a unix socket with a
path and an abstract one. A file in the scratch of another plugin's box.
"""
import ctypes
import os
import socket
import struct

LIBC = ctypes.CDLL(None, use_errno=True)
IN_NONBLOCK = 0o4000
IN_ANY = 0xFFF & ~0x10  # all but IN_CLOSE_NOWRITE, which follows another
ABSTRACT = "forgesyte-canary"
SECRET = "canary-7c1f0d2b"


class Canaries:
    """folder: a new one, of its own. owner: the uid that the files belong to."""

    def __init__(self, folder, owner):
        self.folder = folder
        self.hits = []
        self.scratch = None
        os.makedirs(os.path.join(folder, "files"))
        os.chmod(folder, 0o777)
        os.chmod(os.path.join(folder, "files"), 0o777)
        self.secret = self._file("secret", owner)
        self.others = [self._file("files/config", owner), self._file("files/model.bin", owner)]
        self.sockets = {}
        for name, kind, address in (
                ("tcp", socket.SOCK_STREAM, ("0.0.0.0", 0)), ("http", socket.SOCK_STREAM, ("0.0.0.0", 80)),
                ("udp", socket.SOCK_DGRAM, ("0.0.0.0", 0)), ("dns", socket.SOCK_DGRAM, ("0.0.0.0", 53))):
            self.sockets[name] = self._listen(socket.AF_INET, kind, address)
        self.path = os.path.join(folder, "socket")
        self.sockets["unix"] = self._listen(socket.AF_UNIX, socket.SOCK_STREAM, self.path)
        os.chmod(self.path, 0o777)
        self.sockets["abstract"] = self._listen(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + ABSTRACT)
        self.tcp, self.udp = (self.sockets[name].getsockname()[1] for name in ("tcp", "udp"))
        self.inotify = LIBC.inotify_init1(IN_NONBLOCK)
        self.watched = {}
        for path in (folder, os.path.join(folder, "files"), self.secret, *self.others):
            mark = LIBC.inotify_add_watch(self.inotify, path.encode(), ctypes.c_uint32(IN_ANY))
            if self.inotify < 0 or mark < 0:
                raise OSError(ctypes.get_errno(), "inotify")
            self.watched[mark] = path
        self.whole = self._read()

    def _file(self, name, owner):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(SECRET + "\n")
        os.chmod(path, 0o666)
        os.chown(path, owner, owner)
        return path

    @staticmethod
    def _listen(family, kind, address):
        s = socket.socket(family, kind)
        s.bind(address)
        if kind == socket.SOCK_STREAM:
            s.listen(16)
        s.setblocking(False)
        return s

    def _read(self):
        return {path: (os.stat(path).st_ino, os.stat(path).st_mtime_ns, os.stat(path).st_mode)
                for path in (self.secret, *self.others)}

    def watch_scratch(self, pid):
        """The file that this process's box has kept for us, where it has a scratch of its own."""
        if not os.path.samefile(f"/proc/{pid}/root/tmp", "/tmp"):
            self.scratch = f"/proc/{pid}/root/tmp/canary"

    def _socket_hits(self):
        for name, s in self.sockets.items():
            while True:
                try:
                    if s.type == socket.SOCK_STREAM:
                        s.accept()[0].close()
                    else:
                        s.recv(64)
                except BlockingIOError:
                    break
                self.hits.append(f"somebody came to the {name} canary")

    def _file_hits(self):
        try:
            data = os.read(self.inotify, 65536)
        except BlockingIOError:
            data = b""
        while data:
            mark, mask, _, length = struct.unpack_from("iIII", data)
            name = data[16:16 + length].rstrip(b"\0").decode(errors="replace")
            data = data[16 + length:]
            self.hits.append(f"somebody was at {self.watched.get(mark)}/{name} (inotify {mask:#x})")
        if self._read() != self.whole:
            self.hits.append("the canary files are not what they were")

    def take_hits(self):
        """Words for everything that was touched since the last time."""
        self._socket_hits()
        self._file_hits()
        if self.scratch:
            try:
                with open(self.scratch, encoding="ascii") as f:
                    if f.read() != SECRET:
                        self.hits.append("the canary in the neighbour's scratch was changed")
            except OSError as e:
                self.hits.append(f"the canary in the neighbour's scratch: {e}")
        hits, self.hits = self.hits, []
        return hits

    def prove(self):
        """Touches everything once and expects to see it: canaries that can't sing are none."""
        self.take_hits()
        with open(self.secret, encoding="ascii") as f:
            f.read()
        for family, kind, address in (
                (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", self.tcp)),
                (socket.AF_INET, socket.SOCK_STREAM, ("169.254.169.254", 80)),
                (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", self.udp)),
                (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 53)),
                (socket.AF_UNIX, socket.SOCK_STREAM, self.path),
                (socket.AF_UNIX, socket.SOCK_STREAM, "\0" + ABSTRACT)):
            with socket.socket(family, kind) as s:
                s.connect(address)
                s.send(b"x")
        hits = " ".join(self.take_hits())
        return [name for name in (*self.sockets, "secret") if name not in hits]

    def close(self):
        for s in self.sockets.values():
            s.close()
        os.close(self.inotify)
