"""test_shared.py -- bytes arguments in shared memory: views of it, copies, and what a plugin keeps."""
import hashlib
import json
import os
import unittest

import fake_host
from fake_host import Died, Error
from plugin_folder import PluginTest

PLUGIN = """
    import forgesyte, gc, hashlib, os, sys, threading

    class Plugin:
        def __init__(self):
            self.kept = []
            self.tools = {"bytes": self.as_bytes, "view": self.as_view, "keep": self.keep,
                          "recall": self.recall, "drop": self.drop, "echo": self.echo,
                          "fails": self.fails, "refuses": self.refuses, "fds": self.fds,
                          "writes": self.writes, "maps": self.maps, "whole": self.whole,
                          "short": {"handler": self.whole, "input_schema": {"data": "memoryview"}},
                          "declared": {"handler": self.whole, "input_schema": {
                              "type": "object", "properties": {"data": {
                                  "type": "string", "contentEncoding": "base64",
                                  "format": "memoryview"}}}},
                          "path": {"handler": self.path, "input_schema": {
                              "type": "object", "properties": {"data": {
                                  "type": "string", "format": "path"}}}}}

        def whole(self, args):
            return [type(args["data"]).__name__, hashlib.sha256(args["data"]).hexdigest()]

        def as_bytes(self, data: bytes, more: bytes = b""):
            return [type(data).__name__, hashlib.sha256(data).hexdigest(),
                    hashlib.sha256(more).hexdigest()]

        def as_view(self, data: memoryview, more: "memoryview" = b""):
            assert data.readonly and data.format == "B" and data.ndim == 1
            return [type(data).__name__, hashlib.sha256(data).hexdigest(),
                    hashlib.sha256(more).hexdigest()]

        def path(self, data):
            with open(data, "rb") as f:
                return hashlib.sha256(f.read()).hexdigest()

        def keep(self, data: memoryview, slice: bool = False):
            self.kept.append(data[1:] if slice else data)

        def recall(self):
            return [hashlib.sha256(view).hexdigest() for view in self.kept]

        def drop(self):
            self.kept.clear()
            gc.collect()

        def echo(self, data: memoryview):
            return {"same": data}

        def fails(self, data: memoryview):
            raise ValueError("no good")

        def refuses(self, data: memoryview):
            raise forgesyte.ToolError("BadImage", "no good")

        def fds(self, data: memoryview):
            found = []
            for fd in range(256):
                try:
                    os.fstat(fd)
                    found.append(fd)
                except OSError:
                    pass
            return found

        def writes(self, data: memoryview):
            import ctypes, mmap
            refused = 0
            try:
                data[0] = 1
            except TypeError:
                refused += 1
            at = ctypes.addressof(ctypes.c_char.from_buffer_copy(b"x"))
            libc = ctypes.CDLL(None)
            page = [line.split("-")[0] for line in open("/proc/self/maps") if "memfd:" in line][0]
            address = ctypes.c_void_p(int(page, 16))
            refused += libc.mprotect(address, ctypes.c_size_t(4096), 3) == -1
            return refused

        def maps(self):
            with open("/proc/self/maps") as f:
                return sum("memfd:" in line for line in f)
"""
SIZES = (1, 63, 64, 65, 4095, 4096, 4097, 65536, 1 << 20, (6 << 20) + 1)


def sha(data):
    return hashlib.sha256(data).hexdigest()


class SharedTest(PluginTest):
    def setUp(self):
        self.plugin = self.started(PLUGIN)
        self.area = fake_host.Area()
        self.addCleanup(self.area.close)

    def call(self, tool, *blobs, **arguments):
        blobs = [(name, "", data) for name, data in blobs]
        send = self.plugin.call if not blobs else lambda *rest: self.plugin.call_shared(
            self.area, *rest)
        outcome = send(tool, json.dumps(arguments), *blobs)
        self.assertNotIsInstance(outcome, Error, outcome)
        self.blobs = outcome.blobs
        return json.loads(outcome.json)

    def test_bytes_and_views_have_the_contents_at_every_size(self):
        for n in SIZES:
            data, more = os.urandom(n), os.urandom(n // 2)
            for tool, kind in (("bytes", "bytes"), ("view", "memoryview")):
                with self.subTest(n=n, tool=tool):
                    self.assertEqual(self.call(tool, ("data", data), ("more", more)),
                                     [kind, sha(data), sha(more)])

    def test_an_empty_argument_beside_a_large_one(self):
        data = os.urandom(70_000)
        for tool in ("bytes", "view"):
            self.assertEqual(self.call(tool, ("data", data), ("more", b""))[1:],
                             [sha(data), sha(b"")])
            self.assertEqual(self.call(tool, ("data", b""))[1], sha(b""))

    def test_a_small_one_through_the_socket_has_the_same_type(self):
        error = self.plugin.call("view", "{}", ("data", "", b"small"))
        self.assertEqual(json.loads(error.json)[:2], ["memoryview", sha(b"small")])
        text = self.plugin.call("view", '{"data": "YWJj"}')
        self.assertEqual(json.loads(text.json)[:2], ["memoryview", sha(b"abc")])

    def test_a_view_can_be_declared_too(self):
        data = os.urandom(5000)
        for tool in ("short", "declared"):
            self.assertEqual(self.call(tool, ("data", data)), ["memoryview", sha(data)])
        tools = {tool["name"]: tool["input_schema"]["properties"]
                 for tool in json.loads(self.plugin.meta)["tools"] if "properties" in
                 tool["input_schema"]}
        wanted = {"type": "string", "contentEncoding": "base64", "format": "memoryview"}
        for tool in ("short", "declared", "view"):
            self.assertEqual(tools[tool]["data"], wanted, "the host is told")
        self.assertEqual(tools["bytes"]["data"], {"type": "string", "contentEncoding": "base64"})

    def test_a_path_is_made_of_shared_bytes(self):
        data = os.urandom(100_000)
        self.assertEqual(self.call("path", ("data", data)), sha(data))

    def test_what_is_kept_stays_what_it_was(self):
        kept = [os.urandom(n) for n in (100_000, 5, 3 << 20)]
        for data in kept:
            self.call("keep", ("data", data))
        self.call("keep", ("data", b"-" + kept[0]), slice=True)
        self.call("view", ("data", os.urandom(4 << 20)))
        self.assertEqual(self.call("recall"), [sha(data) for data in (*kept, kept[0])])
        self.assertEqual(self.call("maps"), 1, "a kept one is the plugin's own memory")
        self.call("drop")
        self.assertEqual(self.call("recall"), [])
        data = os.urandom(10)
        self.assertEqual(self.call("view", ("data", data))[1], sha(data))

    def test_memory_that_was_kept_goes_when_it_is_dropped(self):
        def resident():
            with open(f"/proc/{self.plugin.process.pid}/statm", encoding="ascii") as f:
                return int(f.read().split()[1]) * 4096

        data = os.urandom(8 << 20)
        self.call("view", ("data", data))
        before = resident()
        for _ in range(4):
            self.call("keep", ("data", data))
        self.assertGreater(resident() - before, 22 << 20, "four copies, and no mapping")
        self.call("drop")
        self.call("view", ("data", data))
        self.assertLess(resident() - before, 4 << 20)

    def test_an_answer_may_be_the_argument_itself(self):
        for n in (5, 2 << 20):
            data = os.urandom(n)
            self.call("echo", ("data", data))
            self.assertEqual(self.blobs["same"][1], data)

    def test_exceptions_leave_the_next_call_alone(self):
        for tool, kind in (("fails", 1), ("refuses", 0)):
            error = self.plugin.call_shared(self.area, tool, "{}", ("data", "", b"x" * 10_000))
            self.assertEqual((error.kind, error.text), (kind, "no good"))
            data = os.urandom(10_000)
            self.assertEqual(self.call("view", ("data", data))[1], sha(data))

    def test_no_descriptor_is_seen_or_left(self):
        before = json.loads(self.plugin.call("fds", "{}", ("data", "", b"x")).json)
        self.assertEqual(before[:4], [0, 1, 2, 3])
        for _ in range(3):
            self.assertEqual(self.call("fds", ("data", b"x" * 5000)), before)
        error = self.plugin.call_shared(self.area, "nobody", "{}", ("data", "", b"x"))
        self.assertIn("nobody", error.text)
        self.assertEqual(self.call("fds", ("data", b"x")), before)

    def test_a_plugin_cannot_write_there(self):
        self.assertEqual(self.call("writes", ("data", b"x" * 5000)), 2)

    def test_one_mapping_for_all_calls_and_a_new_one_for_another_file(self):
        for n in (5000, 100_000, 7, 3 << 20):
            self.call("view", ("data", os.urandom(n)))
            self.assertEqual(self.call("maps"), 1)
        other = fake_host.Area()
        self.addCleanup(other.close)
        data = os.urandom(6000)
        outcome = self.plugin.call_shared(other, "view", "{}", ("data", "", data))
        self.assertEqual(json.loads(outcome.json)[1], sha(data))
        self.assertEqual(self.call("maps"), 1)

    def test_a_range_outside_the_memory_is_the_hosts_mistake(self):
        small = fake_host.Area(4096)
        self.addCleanup(small.close)
        for tool in ("view", "bytes"):
            plugin = self.started(PLUGIN)
            payload = small.payload(tool, blobs=[("data", "", b"x")])[:-4] + b"\1\x10\0\0"
            plugin.send(fake_host.CALL_SHM, payload, fds=[small.given])
            with self.assertRaises(Died) as caught:
                plugin.outcome()
            self.assertEqual(caught.exception.status, 71)

    def test_without_ctypes_views_are_of_bytes(self):
        plugin = self.started("import sys\nsys.modules['ctypes'] = None\n" +
                              PLUGIN.replace("\n    ", "\n"))
        data = os.urandom(1 << 20)
        outcome = plugin.call_shared(self.area, "view", "{}", ("data", "", data))
        self.assertEqual(json.loads(outcome.json)[:2], ["memoryview", sha(data)])


if __name__ == "__main__":
    unittest.main()
