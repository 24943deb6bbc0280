"""test_cancel.py -- a client that hangs up: its call is cancelled, and nobody else notices."""
import json
import socket
import unittest

from host import SLOW, HostCase


class HangUp(HostCase):
    def leave(self, host, tool, args):
        """Begins a call, and hangs up once it runs."""
        body = json.dumps(args).encode()
        s = socket.create_connection(("127.0.0.1", host.port))
        s.sendall(b"POST /v1/plugins/p/tools/%s/run HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                  b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                  % (tool.encode(), host.port, len(body), body))
        host.wait_health("p", lambda h: h["in_flight"] == 1)
        s.close()

    def test_a_tool_that_asks_is_cancelled_at_once(self):
        self.plugin("p", like="crashtest", limits={"timeout_seconds": 60})
        host = self.serve()
        before = host.health("p")
        self.leave(host, "sleep", {"ms": 60000})
        after = host.wait_health("p", lambda h: h["in_flight"] == 0, 2 + 2 * SLOW)
        self.assertEqual((after["state"], after["generation"]), ("INITIALIZED", 1))
        self.assertEqual(after["instances"][0]["pid"], before["instances"][0]["pid"])
        self.assertEqual(host.run("p", "echo", {"a": 1}).result, {"a": 1})

    def test_a_tool_that_does_not_is_replaced_after_the_grace(self):
        self.plugin("p", like="answers", limits={"timeout_seconds": 60})
        host = self.serve()
        pid = host.health("p")["instances"][0]["pid"]
        self.leave(host, "stubborn", {"ms": 50000})
        health = host.wait_health("p", lambda h: h["in_flight"] == 0 and h["instances"] and
                                  h["instances"][0]["pid"] != pid, 2 + 3 * SLOW)
        self.assertEqual((health["state"], health["generation"]), ("INITIALIZED", 1))
        self.assertEqual(host.run("p", "nothing").result, {})

    def test_a_queued_call_whose_client_left_never_runs(self):
        self.plugin("p", like="crashtest", limits={"timeout_seconds": 60})
        host = self.serve()
        first = host.begin("p", "sleep", {"ms": 1500})
        host.wait_health("p", lambda h: h["in_flight"] == 1)
        s = socket.create_connection(("127.0.0.1", host.port))
        s.sendall(b"POST /v1/plugins/p/tools/segfault/run HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                  b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" % host.port)
        host.wait_health("p", lambda h: h["queue_depth"] == 1)
        s.close()
        host.wait_health("p", lambda h: h["queue_depth"] == 0 and h["in_flight"] == 1)
        self.assertEqual(first.join().status, 200)
        self.assertEqual(host.run("p", "echo", {"a": 1}).result, {"a": 1})
        self.assertEqual(host.state("p"), "INITIALIZED")

    def test_a_client_that_leaves_in_the_middle_of_its_upload_starts_nothing(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        with socket.create_connection(("127.0.0.1", host.port)) as s:
            s.sendall(b"POST /v1/plugins/p/tools/segfault/run HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                      b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
                      % host.port)
        self.assertEqual(host.run("p", "echo", {"a": 1}).result, {"a": 1})
        self.assertEqual(host.health("p")["error_count"], 0)


if __name__ == "__main__":
    unittest.main()
