"""test_timeout.py -- the deadline: whatever hangs, however, the client has its answer."""
import unittest

from host import SLOW, HostCase

TEXT = "Plugin execution timed out after 1s. Increase timeout in manifest if needed."


class Timeout(HostCase):
    def hang(self, tool, args=None, like="crashtest", **manifest):
        """Runs it under a limit of 1 s; checks answer, time and state."""
        manifest.setdefault("limits", {"timeout_seconds": 1})
        self.plugin("p", like=like, **manifest)
        self.plugin("well", like="crashtest")
        host = self.serve()
        host.children()
        answer = host.run("p", tool, args)
        self.assert_error(answer, 504, "TimeoutError")
        self.assertEqual(answer.error, TEXT)
        self.assertGreaterEqual(answer.ms, 990)
        self.assertLess(answer.ms, 1000 + 250 * SLOW, "answered late")
        health = host.health("p")
        self.assertEqual((health["state"], health["reason"], health["error_count"]),
                         ("FAILED", TEXT, 1))
        self.assertEqual(health["last_failure"]["error_type"], "TimeoutError")
        self.assertEqual(host.run("well", "echo", {"a": 1}).result, {"a": 1})
        return host

    def test_a_sleeping_call_is_ended_at_the_deadline(self):
        self.hang("hang")

    def test_a_busy_loop_is_ended_at_the_deadline(self):
        self.hang("spin")

    def test_a_stopped_worker_is_ended_at_the_deadline(self):
        self.hang("kill_self", {"signal": 19}, like="answers")

    def test_a_fork_bomb_is_contained_and_leaves_no_process(self):
        self.plugin("p", like="crashtest", limits={"timeout_seconds": 1})
        self.plugin("well", like="crashtest")
        host = self.serve()
        before = len(host.children())
        answer = host.run("p", "fork_bomb")
        self.assertIn((answer.status, answer.error_type),
                      [(504, "TimeoutError"), (502, "ResourceLimitExceeded"),
                       (502, "PluginCrashed"), (502, "PluginError")])
        self.assertEqual(host.run("well", "echo", {"a": 1}).result, {"a": 1})
        host.wait_health("well", lambda _: len(host.children()) < before)

    def test_nothing_is_slower_beside_a_spinning_plugin(self):
        self.plugin("p", like="crashtest")
        self.plugin("well", like="crashtest")
        host = self.serve()
        call = host.begin("p", "spin")
        host.wait_health("p", lambda h: h["in_flight"] == 1)
        worst = max(host.get("/livez").ms for _ in range(50))
        self.assertLess(worst, 250 * SLOW)
        self.assertLess(host.run("well", "echo").ms, 250 * SLOW)
        self.assertEqual(call.join().status, 504)

    def test_time_in_the_queue_counts(self):
        self.plugin("p", like="crashtest", limits={"timeout_seconds": 1})
        host = self.serve()
        first = host.begin("p", "sleep", {"ms": 800})
        host.wait_health("p", lambda h: h["in_flight"] == 1)
        answer = host.run("p", "sleep", {"ms": 800})
        self.assertEqual(first.join().status, 200)
        self.assert_error(answer, 504, "TimeoutError")
        self.assertLess(answer.ms, 1000 + 250 * SLOW)

    def test_the_limit_in_the_text_is_the_plugins_own(self):
        self.plugin("p", like="crashtest", limits={"timeout_seconds": 0.5})
        host = self.serve()
        self.assertEqual(host.run("p", "hang").error, TEXT.replace("1s", "0.5s"))

    def test_the_default_is_60_seconds(self):
        self.plugin("p", like="stages")
        self.assertEqual(self.serve().health("p")["limits"],
                         {"timeout_seconds": 60, "memory_bytes": 1 << 30})


if __name__ == "__main__":
    unittest.main()
