"""test_python_uploads.py -- an upload that a tool takes as a path: what may be done with that path, in a
box with a /tmp of its own, in one whose /tmp is too small, and in one that has none."""
import unittest

from host import need_nobody
from python_case import PythonCase, functions

# What libraries that are given a path do with it before and while they read.
WATCH = '''
import ctypes
import mmap
import os
import threading


def attempt(act, *args):
    try:
        act(*args)
    except (OSError, ValueError) as e:
        return type(e).__name__
    return "done"


def by_libc(path, offset, size):
    """As a C library does: fopen, fseek, fread."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fopen.restype = ctypes.c_void_p
    libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    libc.fseek.argtypes = [ctypes.c_void_p, ctypes.c_long, ctypes.c_int]
    libc.fread.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
    libc.fclose.argtypes = [ctypes.c_void_p]
    f = libc.fopen(path.encode(), b"rb")
    assert f, os.strerror(ctypes.get_errno())
    libc.fseek(f, offset, os.SEEK_SET)
    data = ctypes.create_string_buffer(size)
    n = libc.fread(data, 1, size, f)
    libc.fclose(f)
    return data.raw[:n].decode()


def in_thread(path):
    read = []
    thread = threading.Thread(target=lambda: read.append(open(path, "rb").read(4).decode()))
    thread.start()
    thread.join()
    return read[0]


seen = []


def watch(video_path: str):
    gone = [not os.path.exists(path) for path in seen]
    seen.append(video_path)
    size = os.path.getsize(video_path)
    with open(video_path, "rb") as first, open(video_path, "rb") as second:
        first.seek(size - 4)
        ends = [first.read().decode(), second.read(4).decode(), second.tell()]
        with mmap.mmap(first.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            ends.append(mapped[:4].decode())
    return {"size": size, "file": os.path.isfile(video_path), "ends": ends, "gone": gone,
            "libc": by_libc(video_path, size - 4, 100), "thread": in_thread(video_path),
            "write": attempt(lambda: open(video_path, "r+b", 0).write(b"x")),
            "truncate": attempt(os.truncate, video_path, 0),
            "in_memory": video_path.startswith("/proc/"),
            "suffix": os.path.splitext(video_path)[1],
            "descriptors": len(os.listdir("/proc/self/fd"))}


def two(left, right):
    return [open(path, "rb").read().decode() for path in (left, right)]
'''
FILL = WATCH + """

def fill():
    try:
        with open('/tmp/full', 'wb') as f:
            for _ in range(1000):
                f.write(bytes(1 << 20))
    except OSError as e:
        return type(e).__name__
"""
WELL = {"file": True, "libc": "tail", "thread": "head"}
HEADERS = {"Content-Type": "video/mp4"}


class Uploads(PythonCase):
    def watch(self, size=1000):
        body = b"head" + bytes(size - 8) + b"tail"
        return self.host.request("POST", "/v1/plugins/p/tools/watch/run", body, HEADERS).result

    def assert_readable_as_a_file(self, seen, size):
        self.assertEqual({**seen, **WELL}, seen)
        self.assertEqual(seen["size"], size)
        self.assertEqual(seen["ends"], ["tail", "head", 4, "head"])
        self.assertIn(seen["write"], ("PermissionError", "OSError"))
        self.assertIn(seen["truncate"], ("PermissionError", "OSError"))

    def assert_gone_after_the_call(self):
        first, second, third = (self.watch(size) for size in (1000, 2000, 10))
        self.assert_readable_as_a_file(first, 1000)
        self.assert_readable_as_a_file(second, 2000)
        self.assertEqual(third["size"], 10)
        self.assertEqual(first["descriptors"], third["descriptors"])
        return second

    def test_a_video_is_a_file_with_a_suffix(self):
        self.start(WATCH)
        if self.host.health("p")["isolation"]["level"] == "filtered":
            self.skipTest("a box without namespaces has no /tmp of its own to put it")
        seen = self.assert_gone_after_the_call()
        self.assertEqual((seen["suffix"], seen["gone"]), (".mp4", [True]))
        self.assertFalse(seen["in_memory"])

    def check_one_that_is_larger_than_tmp(self, **options):
        self.start(FILL, limits={"memory_mb": 512}, **options)
        self.assertIn(self.host.run("p", "fill").result, ("OSError", "PermissionError"))
        seen = self.watch(3 << 20)
        self.assert_readable_as_a_file(seen, 3 << 20)
        self.assertTrue(seen["in_memory"])

    def test_one_that_is_larger_than_tmp_is_kept_in_memory(self):
        self.check_one_that_is_larger_than_tmp()

    def test_one_that_is_larger_than_tmp_is_kept_in_memory_where_no_cgroup_counts(self):
        """There the box can make no file in memory, and has one of the host."""
        self.check_one_that_is_larger_than_tmp(env={"FORGESYTE_FAKE_MISSING": "cgroup"})

    @need_nobody
    def test_without_namespaces_it_is_readable_all_the_same(self):
        self.python_plugin(functions(WATCH))
        self.host = self.serve(env={"FORGESYTE_FAKE_MISSING": "userns"}, as_nobody=True)
        self.assertEqual(self.host.health("p")["isolation"]["level"], "filtered")
        self.assertTrue(self.assert_gone_after_the_call()["in_memory"])

    @need_nobody
    def test_without_namespaces_two_of_them_are_two_files(self):
        source = (WATCH + "\n\nclass Plugin:\n    tools = {'two': {'handler': two, 'input_schema': {"
                  "'type': 'object', 'properties': {"
                  "'left': {'type': 'string', 'format': 'path', 'contentEncoding': 'base64'},"
                  "'right': {'type': 'string', 'format': 'path', 'contentEncoding': 'base64'}}}}}\n")
        self.python_plugin(source)
        self.host = self.serve(env={"FORGESYTE_FAKE_MISSING": "userns"}, as_nobody=True)
        parts = b"".join(b"--b\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"a\"\r\n"
                         b"Content-Type: video/mp4\r\n\r\n%s\r\n" % pair
                         for pair in ((b"left", b"one"), (b"right", b"another")))
        answer = self.host.request("POST", "/v1/plugins/p/tools/two/run", parts + b"--b--\r\n",
                                   {"Content-Type": "multipart/form-data; boundary=b"})
        self.assertEqual(answer.result, ["one", "another"])


if __name__ == "__main__":
    unittest.main()
