"""test_interrupted.py -- what a plugin's timers, signals and threads raise in the main thread while the
runtime waits for a request: no request is lost, or the process says at once that one was."""
import fcntl
import json
import os
import signal
import struct
import termios
import time
import unittest

import fake_host
from fake_host import CALL, LOG, Area, Died, Fields, call_payload, crc32c
from plugin_folder import PluginTest

PLUGIN = """
    import ctypes, os, signal, sys, threading, time

    import forgesyte

    MAIN = threading.main_thread()


    def waits():
        "Does the main thread sleep, in the runtime, with no function of the plugin's under way?"
        with open(f"/proc/self/task/{MAIN.native_id}/stat") as f:
            if f.read().rpartition(")")[2].split()[0] != "S":
                return False
        frame, names = sys._current_frames()[MAIN.ident], []
        while frame:
            names.append(frame.f_code.co_name)
            frame = frame.f_back
        return "serve" in names and not any("answer" in n or n.startswith("on_") for n in names)


    class Plugin:
        tools = {"late": "late", "handles": "handles", "fds": "fds", "echo": "echo"}

        def late(self):
            "Raises RuntimeError in the main thread once that waits for the next request."
            def run():
                while not waits():
                    time.sleep(0.001)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(MAIN.ident), ctypes.py_object(RuntimeError))
                forgesyte.log("set")
            threading.Thread(target=run).start()

        def handles(self):
            def handler(*_):
                os.write(2, b"in the handler\\n")
                raise FileNotFoundError(2, "late")
            signal.signal(signal.SIGUSR1, handler)

        def fds(self):
            return sorted(os.listdir("/proc/self/fd"))

        def echo(self, text="", data: memoryview = b""):
            return [text, bytes(data).decode()]
"""


class InterruptedTest(PluginTest):
    def setUp(self):
        self.p = self.started(PLUGIN)

    def call(self, tool, **arguments):
        return json.loads(self.p.call(tool, json.dumps(arguments)).json)

    def late(self):
        """An exception is waiting for the main thread, which waits for a request."""
        self.call("late")
        kind, payload = self.p.frame()
        self.assertEqual((kind, Fields(payload[1:]).str()), (LOG, "set"))

    def frame_of(self, payload):
        """A CALL as bytes."""
        self.p.call_id += 1
        head = struct.pack("<IBBHIIQI", 0x45475246, 1, CALL, 0, len(payload), fake_host.GENERATION,
                           self.p.call_id, self.p.sent)
        self.p.sent += 1
        return head + struct.pack("<I", crc32c(head)) + payload

    def until(self, what, is_so):
        deadline = time.monotonic() + fake_host.SECONDS
        while not is_so():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.001)

    def rests(self):
        """Has the runtime taken what was sent, and does it wait for more?"""
        unread, = struct.unpack("i", fcntl.ioctl(self.p.sock, termios.TIOCOUTQ, bytes(4)))
        with open(f"/proc/{self.p.process.pid}/stat", encoding="utf-8") as f:
            return not unread and f.read().rpartition(")")[2].split()[0] == "S"

    def interrupt_after(self, data):
        """Sends that; once it is taken, a signal's handler raises in the main thread."""
        n = self.p.log().count("in the handler")
        self.p.sock.sendall(data)
        self.until("it is read", self.rests)
        os.kill(self.p.process.pid, signal.SIGUSR1)
        self.until("it is told", lambda: self.p.log().count("in the handler") > n)

    def test_a_request_that_comes_with_a_late_exception_is_not_lost(self):
        for i in range(5):
            self.late()
            self.assertEqual(self.call("echo", text=f"n{i}"), [f"n{i}", ""])
            self.assertEqual(self.p.log().count("RuntimeError"), i + 1)

    def test_nor_are_its_descriptors(self):
        area = Area()
        self.addCleanup(area.close)
        fds = self.call("fds")
        for i in range(5):
            self.late()
            outcome = self.p.call_shared(area, "echo", "{}", ("data", "", b"x%d" % i))
            self.assertEqual(json.loads(outcome.json), ["", f"x{i}"])
        self.assertEqual(self.call("fds"), fds)

    def test_nor_is_one_that_comes_in_pieces(self):
        self.call("handles")
        self.late()
        frame = self.frame_of(call_payload("echo", json.dumps({"text": "x" * 5000})))
        for begin, end in ((0, 7), (7, 31), (31, 32), (32, 40), (40, 3000)):
            self.interrupt_after(frame[begin:end])
        self.p.sock.sendall(frame[3000:])
        self.assertEqual(json.loads(self.p.outcome().json), ["x" * 5000, ""])

    def test_a_cancel_that_came_too_late_is_dropped_once(self):
        for i in range(3):
            self.late()
            self.p.send(fake_host.CANCEL, new_id=False)
            self.assertEqual(self.call("echo", text="after"), ["after", ""])

    def test_a_large_one_that_is_cut_short_ends_the_process_with_words(self):
        self.call("handles")
        frame = self.frame_of(call_payload("echo", json.dumps({"text": "x" * 100_000})))
        self.interrupt_after(frame[:50_000])
        with self.assertRaises(Died) as caught:
            self.p.outcome()
        self.assertEqual(caught.exception.status, 220)
        self.assertIn("FileNotFoundError hit the runtime outside of the plugin's code",
                      self.p.log())

    def test_a_stderr_that_the_plugin_has_closed_changes_nothing(self):
        self.p = self.started(PLUGIN.replace("MAIN = ", "sys.stderr.close()\n    MAIN = "))
        self.late()
        self.assertEqual(self.call("echo", text="a"), ["a", ""])


if __name__ == "__main__":
    unittest.main()
