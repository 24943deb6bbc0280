"""faults.py -- system calls and allocations of a running host that fail when a test wants it.

    faults = Faults(self.folder)
    host = self.serve(env=faults.env())
    with faults.armed("accept4", errno.EMFILE):
        ...
    self.assertEqual(faults.failed("accept4"), 1)

tests/support/faults.c is preloaded into the host and looks into the file that is mapped here.
"""
import contextlib
import mmap
import os
import struct

from host import BUILD

SLOT = struct.Struct("24s6I")  # name, countdown, error, times, seen, failed, unused
SLOTS = 64
COUNTDOWN, ERROR, TIMES, SEEN, FAILED = range(5)


class Faults:
    """The control of one host's faults."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "faults")
        with open(self.path, "wb") as f:
            f.truncate(SLOT.size * SLOTS)
        self.file = open(self.path, "r+b")
        self.map = None

    def env(self):
        """For the host: it is counted from its start, and armed later."""
        library = os.path.join(BUILD, "tests", "support", "libfaults.so")
        with_malloc = os.path.join(BUILD, "tests", "support", "libfaults_malloc.so")
        preload = with_malloc if os.path.exists(with_malloc) else library
        return {"LD_PRELOAD": preload, "FORGESYTE_TEST_FAULTS": self.path,
                # The sanitizer's runtime wants to be the first; these functions are not its own.
                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def close(self):
        if self.map:
            self.map.close()
        self.file.close()

    def _slot(self, name):
        """Where the slot begins."""
        if self.map is None:
            self.map = mmap.mmap(self.file.fileno(), 0)
        for at in range(0, len(self.map) - SLOT.size + 1, SLOT.size):
            if SLOT.unpack_from(self.map, at)[0].rstrip(b"\0").decode() == name:
                return at
        raise AssertionError(f"the host did not load the faults, or knows no {name}")

    def _get(self, name, field):
        return struct.unpack_from("I", self.map, self._slot(name) + 24 + 4 * field)[0]

    def _set(self, name, field, value):
        struct.pack_into("I", self.map, self._slot(name) + 24 + 4 * field, value)

    def knows_malloc(self):
        return os.path.exists(os.path.join(BUILD, "tests", "support", "libfaults_malloc.so"))

    def arm(self, name, error, nth=1, times=1):
        """From now on the nth call fails with `error`, and the times - 1 after it."""
        self._slot(name)
        self._set(name, COUNTDOWN, 0)
        self._set(name, ERROR, error)
        self._set(name, TIMES, times)
        self._set(name, FAILED, 0)
        self._set(name, SEEN, 0)
        self._set(name, COUNTDOWN, nth)

    def disarm(self, name):
        self._slot(name)
        self._set(name, COUNTDOWN, 0)

    @contextlib.contextmanager
    def armed(self, name, error, nth=1, times=1):
        self.arm(name, error, nth, times)
        try:
            yield
        finally:
            self.disarm(name)

    def failed(self, name):
        """How often it has failed since it was armed."""
        self._slot(name)
        return self._get(name, FAILED)

    def seen(self, name):
        self._slot(name)
        return self._get(name, SEEN)
