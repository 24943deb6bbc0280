"""test_python_shared.py -- large bytes arguments in shared memory, end to end: native plugins and
Python handlers that take a memoryview get exactly what was uploaded, in every circumstance."""
import hashlib
import os
import socket
import threading
import unittest

from host import PATIENCE, SLOW, need_nobody
from python_case import PythonCase, functions

MIB = 1 << 20
# Around the size from which memory is shared, the one from which it is written in the pool, pages.
SIZES = (0, 1, 4096, MIB - 65, MIB - 64, MIB - 63, MIB, MIB + 4095, MIB + 4096, MIB + 4097,
         2 * MIB - 64, 2 * MIB - 63, 6 * MIB + 1, 20 * MIB)
BYTES = {"Content-Type": "application/octet-stream"}

TOOLS = """
import hashlib, os, time

kept = []

def view(data: memoryview):
    return [type(data).__name__, hashlib.sha256(data).hexdigest()]

def copy(data: bytes):
    return [type(data).__name__, hashlib.sha256(data).hexdigest()]

def pair(first: memoryview, second: memoryview = b"", note: str = ""):
    return [hashlib.sha256(first).hexdigest(), hashlib.sha256(second).hexdigest(), note]

def keep(data: memoryview):
    kept.append(data)

def recall():
    return [hashlib.sha256(each).hexdigest() for each in kept]

def echo(data: memoryview):
    return {"same": data}

def hang(data: memoryview):
    time.sleep(60)

def hold(data: memoryview):
    time.sleep(2)

def fds(data: memoryview):
    found = []
    for fd in range(256):
        try:
            os.fstat(fd)
            found.append(fd)
        except OSError:
            pass
    return found
"""


def sha(data):
    return hashlib.sha256(data).hexdigest()


def polynomial(data):
    """What the tool `length` of tests/plugins/answers.c makes of its bytes."""
    total = 0
    for byte in data:
        total = (total * 31 + byte) & 0xFFFFFFFF
    return total


class Shared(PythonCase):
    def upload(self, tool, data, plugin="p", host=None):
        answer = (host or self.host).request(
            "POST", f"/v1/plugins/{plugin}/tools/{tool}/run", data, BYTES)
        self.assertEqual(answer.status, 200, repr(answer)[:500])
        return answer.json["result"]

    def multipart(self, tool, **parts):
        boundary = b"b" + os.urandom(12).hex().encode()
        body = b"".join(
            b"--%s\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n%s\r\n"
            % (boundary, name.encode(), b"" if isinstance(value, str) else b"; filename=\"f\"",
               value.encode() if isinstance(value, str) else value)
            for name, value in parts.items()) + b"--%s--\r\n" % boundary
        return self.host.request(
            "POST", f"/v1/plugins/p/tools/{tool}/run", body,
            {"Content-Type": "multipart/form-data; boundary=" + boundary.decode()})

    def areas(self):
        with open(f"/proc/{self.host.pid}/maps", encoding="ascii") as f:
            return f.read().count("forgesyte-arguments")

    def hold(self, calls, data):
        """As many calls at once, and the shared memory that the host has for them then."""
        threads = [threading.Thread(target=self.upload, args=("hold", data)) for _ in range(calls)]
        for thread in threads:
            thread.start()
        self.host.wait_health("p", lambda h: h["in_flight"] == calls)
        self.host.wait_health("p", lambda _: self.areas() == calls)
        for thread in threads:
            thread.join()

    def test_contents_are_exact_at_every_size(self):
        self.start(TOOLS)
        for n in SIZES:
            data = os.urandom(n)
            self.assertEqual(self.upload("view", data), ["memoryview", sha(data)], n)
            self.assertEqual(self.upload("copy", data), ["bytes", sha(data)], n)

    def test_native_plugins_get_them_too(self):
        self.plugin("n", like="answers")
        self.host = self.serve()
        for n in (MIB - 64, MIB, MIB + 1, 2 * MIB + 1, 300_000):
            data = os.urandom(n)
            result = self.upload("length", data, "n")
            self.assertEqual((result["size"], result["sum"]), (n, polynomial(data)))
        open_now = self.upload("length", b"", "n")
        self.assertEqual(open_now["size"], 0)

    def test_several_arguments_and_a_text_between_them(self):
        self.start(TOOLS)
        for sizes in ((3 * MIB, 1), (1, 3 * MIB), (MIB + 3, MIB + 5), (600_000, 600_000), (9, 9)):
            first, second = map(os.urandom, sizes)
            answer = self.multipart("pair", first=first, note="between", second=second)
            self.assertEqual(answer.json.get("result"), [sha(first), sha(second), "between"],
                             repr(answer)[:500])

    def test_base64_in_json_ends_in_the_same_memory(self):
        import base64

        self.start(TOOLS)
        data = os.urandom(2 * MIB)
        answer = self.host.run("p", "view", {"data": base64.b64encode(data).decode()})
        self.assertEqual(answer.result, ["memoryview", sha(data)])

    def test_what_a_plugin_keeps_stays_what_it_was(self):
        self.start(TOOLS)
        kept = [os.urandom(n) for n in (2 * MIB, 5, 3 * MIB)]
        for data in kept:
            self.upload("keep", data)
        for n in (2 * MIB, 4 * MIB):
            self.upload("view", os.urandom(n))
        self.assertEqual(self.host.run("p", "recall").result, [sha(data) for data in kept])

    def test_an_answer_may_be_the_argument_itself(self):
        self.start(TOOLS)
        data = os.urandom(2 * MIB)
        import base64

        self.assertEqual(base64.b64decode(self.upload("echo", data)["same"]["base64"]), data)

    def test_a_plugin_finds_no_descriptor_more(self):
        self.start(TOOLS)
        for n in (10, 2 * MIB, 2 * MIB, 10):
            self.assertEqual(self.upload("fds", os.urandom(n)), [0, 1, 2, 3])

    def test_instances_at_work_together_do_not_mix_their_bytes(self):
        self.start(TOOLS, limits={"instances": 3, "memory_mb": 256})
        self.host.wait_health("p", lambda h: len(h["instances"]) == 3)
        wrong = []

        def client(seed):
            for k in range(6):
                data = bytes([seed * 16 + k]) * (MIB + seed * 100_000 + k)
                if self.upload("view", data) != ["memoryview", sha(data)]:
                    wrong.append((seed, k))

        threads = [threading.Thread(target=client, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        calls = [i["calls"] for i in self.host.health("p")["instances"]]
        self.assertEqual((sum(calls), len(calls)), (36, 3))

    def test_prefork_instances_have_memory_of_their_own(self):
        self.start(TOOLS, prefork=True, limits={"instances": 2, "memory_mb": 256})
        for n in (MIB, 2 * MIB, 5 * MIB):
            data = os.urandom(n)
            answers = [None, None]

            def client(k):
                answers[k] = self.upload("view", data[k:])

            threads = [threading.Thread(target=client, args=(k,)) for k in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual([each[1] for each in answers], [sha(data), sha(data[1:])])
        self.hold(2, os.urandom(MIB))

    def test_a_client_that_leaves_in_the_middle(self):
        self.start(TOOLS)
        data = os.urandom(4 * MIB)
        with socket.create_connection((self.host.address, self.host.port), PATIENCE) as s:
            s.sendall(b"POST /v1/plugins/p/tools/hang/run HTTP/1.1\r\nHost: %s:%d\r\nContent-Type:"
                      b" application/octet-stream\r\nContent-Length: %d\r\n\r\n%s"
                      % (self.host.address.encode(), self.host.port, len(data), data))
            self.host.wait_health("p", lambda h: h["in_flight"] == 1)
        health = self.host.wait_health("p", lambda h: h["in_flight"] == 0, 2 + 2 * SLOW)
        self.assertEqual((health["state"], health["generation"]), ("INITIALIZED", 1))
        self.assertEqual(self.upload("view", data), ["memoryview", sha(data)])

    def test_a_timeout_and_a_new_instance(self):
        self.start(TOOLS, limits={"timeout_seconds": 1, "memory_mb": 256}, on_error="keep")
        data = os.urandom(3 * MIB)
        answer = self.host.request("POST", "/v1/plugins/p/tools/hang/run", data, BYTES)
        self.assert_error(answer, 504, "TimeoutError")
        self.host.wait_health("p", lambda h: h["state"] == "INITIALIZED" and h["instances"])
        self.assertEqual(self.upload("view", data), ["memoryview", sha(data)])

    def test_the_host_gives_the_memory_back(self):
        self.start(TOOLS)
        self.upload("copy", os.urandom(2 * MIB))
        before = self.host.rss_bytes()
        data = os.urandom(60 * MIB)
        self.assertEqual(self.upload("view", data), ["memoryview", sha(data)])
        self.hold(1, data)
        self.host.wait_health("p", lambda _: self.areas() == 0)
        if SLOW == 1:  # a sanitizer keeps what is freed
            self.host.wait_health("p", lambda _: self.host.rss_bytes() < before + 6 * MIB)

    @need_nobody
    def test_an_ordinary_users_host_has_it_too(self):
        self.python_plugin(functions(TOOLS))
        for hidden in ("", "userns"):
            env = {"FORGESYTE_FAKE_MISSING": hidden} if hidden else None
            self.host = self.serve(as_nobody=True, env=env)
            watched = self.host.health("p")["isolation"]["memory"] == "rlimit"
            for n in (MIB, 3 * MIB + 1):
                data = os.urandom(n)
                self.assertEqual(self.upload("view", data), ["memoryview", sha(data)])
                self.assertEqual(self.upload("fds", data),
                                 [0, 1, 2, 3, 8, 9, 10, 11] if watched else [0, 1, 2, 3])

    @need_nobody
    def test_an_ordinary_users_instance_has_one_area_for_its_life(self):
        """It could write to each that it has had, where no cgroup counts that."""
        self.python_plugin(functions(TOOLS))
        self.host = self.serve(as_nobody=True)
        isolation = self.host.health("p")["isolation"]
        if isolation["memory"] != "rlimit" or "mount" not in isolation["namespaces"]:
            self.skipTest("a cgroup counts its memory here, or it may change no modes")
        before = self.host.rss_bytes()
        self.upload("view", os.urandom(60 * MIB))
        if SLOW == 1:  # a sanitizer keeps what is freed
            self.host.wait_health("p", lambda _: self.host.rss_bytes() < before + 6 * MIB)
        self.assertEqual(self.areas(), 1)
        data = os.urandom(2 * MIB)
        self.assertEqual(self.upload("view", data), ["memoryview", sha(data)])
        self.assertEqual(self.areas(), 1)


if __name__ == "__main__":
    unittest.main()
