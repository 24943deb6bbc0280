"""test_python_cancel.py -- a client that hangs up on a Python tool: Cancelled is raised in the tool,
the interpreter stays; a tool that will not hear is replaced, and the plugin is not to blame."""
import socket
import unittest

from host import SLOW
from python_case import PythonCase

TEXT = """
import asyncio
import time

import forgesyte


def begun():
    forgesyte.progress(1, 2)


def told(where):
    print(f"cancelled in {where}", flush=True)


def sleep():
    begun()
    try:
        time.sleep(1000)
    except forgesyte.Cancelled:
        told("sleep")
        raise


def loop():
    begun()
    try:
        while True:
            try:
                sum(range(100))
            except Exception:
                pass
    finally:
        told("loop")


def ask():
    begun()
    while not forgesyte.cancelled():
        time.sleep(0.01)
    told("ask")
    return "stopped"


async def wait():
    begun()
    try:
        await asyncio.sleep(1000)
    finally:
        told("wait")


def swallow():
    begun()
    try:
        time.sleep(1000)
    except BaseException:
        told("swallow")
    return "went on"


def stubborn():
    begun()
    while True:
        try:
            time.sleep(1000)
        except BaseException:
            told("stubborn")


def deaf():
    begun()
    sum(range(10 ** 18))


def slow_to_end():
    begun()
    try:
        time.sleep(1000)
    finally:
        time.sleep(0.5)
        told("slow_to_end")


def well(x=1):
    return {"x": x}
"""


class Cancel(PythonCase):
    def leave(self, tool):
        """Begins a call and hangs up once the tool has begun; the worker's pid."""
        events = self.host.events()
        self.addCleanup(events.close)
        pid = self.host.health("p")["instances"][0]["pid"]
        s = socket.create_connection(("127.0.0.1", self.host.port))
        s.sendall(b"POST /v1/plugins/p/tools/%s/run HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                  b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                  % (tool.encode(), self.host.port))
        events.until(lambda event, data: event == "progress")
        s.close()
        return pid

    def assert_stops(self, tool, line=True):
        """It is told, it ends, and the very same interpreter takes the next call."""
        self.start(TEXT, limits={"timeout_seconds": 100})
        pid = self.leave(tool)
        self.host.wait_health("p", lambda h: h["in_flight"] == 0, 2 * SLOW)
        if line:
            self.assertIn(f"cancelled in {tool}", self.log())
        for x in (2, 3):
            self.assertEqual(self.host.run("p", "well", {"x": x}).result, {"x": x})
        health = self.host.health("p")
        self.assertEqual((health["state"], health["instances"][0]["pid"]), ("INITIALIZED", pid))
        self.assertEqual(health["error_count"], 0, "a cancelled call is no error")

    def assert_replaced(self, tool):
        self.start(TEXT, limits={"timeout_seconds": 100})
        pid = self.leave(tool)
        health = self.host.wait_health(
            "p", lambda h: h["in_flight"] == 0 and h["instances"] and
            h["instances"][0]["pid"] != pid, 2 + 4 * SLOW)
        self.assertEqual((health["state"], health["generation"]), ("INITIALIZED", 1))
        self.assertEqual(self.host.run("p", "well").result, {"x": 1})
        self.assertEqual(self.host.health("p")["error_count"], 0)

    def test_a_sleep_is_interrupted(self):
        self.assert_stops("sleep")

    def test_a_loop_that_catches_every_exception_is_interrupted(self):
        self.assert_stops("loop")

    def test_a_tool_that_asks_is_told(self):
        self.assert_stops("ask")

    def test_an_async_tool_is_cancelled(self):
        self.assert_stops("wait")

    def test_a_tool_that_swallows_it_and_ends_is_well(self):
        self.assert_stops("swallow")

    def test_a_tool_has_time_to_clean_up(self):
        self.assert_stops("slow_to_end")

    def test_a_tool_that_goes_on_is_replaced_without_failing_the_plugin(self):
        self.assert_replaced("stubborn")

    def test_a_tool_that_never_lets_go_of_the_interpreter_is_replaced(self):
        self.assert_replaced("deaf")

    def test_cancelling_many_times_leaves_the_interpreter_well(self):
        self.start(TEXT, limits={"timeout_seconds": 100})
        pid = self.host.health("p")["instances"][0]["pid"]
        for tool in ("sleep", "loop", "wait") * 5:
            self.assertEqual(self.leave(tool), pid)
            self.host.wait_health("p", lambda h: h["in_flight"] == 0, 2 * SLOW)
            self.assertEqual(self.host.run("p", "well").result, {"x": 1})


if __name__ == "__main__":
    unittest.main()
