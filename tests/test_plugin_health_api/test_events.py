"""test_events.py -- server-sent events: each state change, each call's end, each line of a log."""
import unittest

from host import SLOW, HostCase


class EventStream(HostCase):
    def setUp(self):
        super().setUp()
        self.plugin("p", like="crashtest", on_error="keep")
        self.host = self.serve()

    def follow(self):
        events = self.host.events()
        self.addCleanup(events.close)
        self.assertEqual(events.content_type.split(";")[0], "text/event-stream")
        return events

    def moves(self, events, until):
        """The states that the plugin went through, until one of them."""
        events.until(lambda event, data: event == "state" and data["state"] == until)
        return [(data["from"], data["state"]) for event, data in events.seen if event == "state"]

    def test_a_call_is_seen_from_start_to_end(self):
        events = self.follow()
        self.host.run("p", "echo")
        moves = self.moves(events, "INITIALIZED")
        self.assertEqual(moves, [("INITIALIZED", "RUNNING"), ("RUNNING", "INITIALIZED")])
        _, state = next(item for item in events.seen if item[0] == "state")
        self.assertEqual(set(state), {"at", "plugin", "from", "state", "reason"})
        _, call = next((item for item in events.seen if item[0] == "call"), None) or \
            events.until(lambda event, _: event == "call")
        self.assertEqual(set(call), {"at", "plugin", "tool", "ok", "error_type", "error",
                                     "execution_time_ms"})
        self.assertEqual((call["plugin"], call["tool"], call["ok"], call["error_type"]),
                         ("p", "echo", True, None))

    def test_a_failure_is_seen_with_its_type(self):
        events = self.follow()
        self.host.run("p", "fail")
        _, call = events.until(lambda event, _: event == "call")
        self.assertEqual((call["ok"], call["error_type"]), (False, "PluginError"))

    def test_progress_is_seen(self):
        events = self.follow()
        self.host.run("p", "sleep", {"ms": 300})
        _, progress = events.until(lambda event, _: event == "progress")
        self.assertEqual(set(progress), {"at", "plugin", "tool", "done", "total"})
        self.assertEqual((progress["tool"], progress["total"]), ("sleep", 300))

    def test_a_reload_is_seen_as_states(self):
        events = self.follow()
        self.host.post("/v1/plugins/p/reload")
        self.assertEqual(self.moves(events, "INITIALIZED"),
                         [(None, "LOADED"), ("LOADED", "INITIALIZED")])

    def test_a_reader_that_never_reads_holds_nobody_up(self):
        import socket
        with socket.create_connection(("127.0.0.1", self.host.port)) as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            lazy.sendall(b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"
                         % self.host.port)
            for _ in range(300):
                self.assertEqual(self.host.run("p", "echo").status, 200)

    def test_streams_that_leave_are_forgotten(self):
        before = self.host.descriptors()
        for _ in range(20):
            self.host.events().close()
        self.host.wait_health("p", lambda _: self.host.descriptors() <= before + 2)


class Logs(HostCase):
    def setUp(self):
        super().setUp()
        self.plugin("p", like="answers")
        self.host = self.serve()

    def test_what_a_plugin_prints_and_logs_is_there(self):
        self.host.run("p", "say", {"words": "seven swans"})
        text = self.host.get("/v1/plugins/p/logs").body.decode()
        self.assertIn("seven swans", text)
        self.assertIn("logged: seven swans", text)

    def test_following_shows_new_lines_as_they_come(self):
        events = self.host.events("/v1/plugins/p/logs?follow=1")
        self.addCleanup(events.close)
        self.host.run("p", "say", {"words": "eight geese"})
        events.until(lambda event, data: "eight geese" in str(data))

    def test_control_bytes_are_made_harmless(self):
        self.host.run("p", "say", {"words": "a\x1b[31mred\x07\x00b"[:11]})
        body = self.host.get("/v1/plugins/p/logs").body
        self.assertNotIn(b"\x1b", body)
        self.assertNotIn(b"\x07", body)
        body.decode()

    def test_a_flood_is_bounded_and_the_host_stays_small(self):
        self.plugin("flood", like="crashtest", limits={"timeout_seconds": 30})
        host = self.serve()
        host.run("flood", "echo")
        before = host.rss_bytes()
        self.assertEqual(host.run("flood", "flood_stdout", {"bytes": 64 << 20}).status, 200)
        if SLOW == 1:  # a sanitizer keeps what was freed
            self.assertLess(host.rss_bytes() - before, 16 << 20)
        self.assertLess(len(host.get("/v1/plugins/flood/logs").body), 4 << 20)


if __name__ == "__main__":
    unittest.main()
