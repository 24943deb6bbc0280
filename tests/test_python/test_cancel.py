"""test_cancel.py -- a CANCEL reaches what runs in Python, and the next call knows nothing of it."""
import json
import time
import unittest

from fake_host import CALL, CANCEL, PROGRESS, Error, call_payload
from plugin_folder import PluginTest

CANCELLED = (1, "Cancelled", "the client has left", "")
GRACE = 2.0  # after which the host kills


class CancelTest(PluginTest):
    def setUp(self):
        self.tools = self.started(self.named("tools"))

    def cancel(self, tool, **arguments):
        """Cancels the call when it says that it is under way, and waits for its outcome."""
        self.tools.send(CALL, call_payload(tool, json.dumps(arguments)))
        self.tools.until(PROGRESS)
        began = time.monotonic()
        self.tools.send(CANCEL, new_id=False)
        outcome = self.tools.outcome()
        self.assertLess(time.monotonic() - began, GRACE)
        return outcome

    def seen(self):
        return json.loads(self.tools.call("what_was_seen").json)

    def test_a_tool_that_sleeps_computes_or_waits_for_a_lock(self):
        for how in ("sleeping", "counting", "except_exception", "joining", "reporting"):
            with self.subTest(how):
                self.assertEqual(self.cancel("waits", how=how), CANCELLED)
                self.assertEqual(self.seen(), ["Cancelled", True, False])

    def test_an_exception_made_of_it_is_still_that(self):
        self.assertEqual(self.cancel("waits", how="wrapping"), CANCELLED)

    def test_a_tool_that_asks_stops_by_itself(self):
        self.assertEqual(self.cancel("asks").json, '"stopped by itself"')
        self.assertEqual(self.seen(), ["asked", False, False])

    def test_an_async_tool_is_cancelled_as_asyncio_does_it(self):
        for how, seen in (("awaiting", "CancelledError"), ("child", "CancelledError"),
                          ("blocking", "Cancelled")):
            with self.subTest(how):
                self.assertEqual(self.cancel("waits_async", how=how), CANCELLED)
                self.assertEqual(self.seen(), [seen, True, False])
        self.assertEqual(self.tools.call("later", '{"n":1}').json, "2")

    def test_a_cancel_that_comes_before_the_tool_runs(self):
        for _ in range(10):
            self.tools.send(CALL, call_payload("waits", '{"how":"sleeping"}'))
            self.tools.send(CANCEL, new_id=False)
            self.assertEqual(self.tools.outcome(), CANCELLED)

    def test_a_cancel_that_comes_too_late_is_ignored(self):
        for i in range(20):
            self.tools.send(CALL, call_payload("nothing"))
            outcome = self.tools.outcome()
            self.assertFalse(isinstance(outcome, Error) and outcome != CANCELLED)
            self.tools.send(CANCEL, new_id=False)
            self.assertEqual(self.tools.call("echo", json.dumps({"i": i})).json, f'{{"i":{i}}}')

    def test_a_cancel_at_any_moment_leaves_the_stream_whole(self):
        """The answer is a whole frame, and so are all after it, wherever the interrupt fell."""
        outcomes = set()
        for i in range(32):
            self.tools.send(CALL, call_payload("counts"))
            time.sleep(i * 0.01)
            self.tools.send(CANCEL, new_id=False)
            outcome = self.tools.outcome()
            outcomes.add(type(outcome).__name__)
            self.assertTrue(outcome == CANCELLED or outcome.json == "1", outcome)
        self.assertEqual(outcomes, {"Error", "Result"})

    def test_a_call_after_a_long_pause_can_be_cancelled_too(self):
        self.assertEqual(self.tools.call("nothing").json, "null")
        time.sleep(1.5)  # the watching thread has gone to sleep
        self.assertEqual(self.cancel("waits", how="sleeping"), CANCELLED)


if __name__ == "__main__":
    unittest.main()
