"""test_init_failures.py -- steps 4 to 7 of loading: init, validate, and who may take calls when."""
import os
import signal
import unittest

from host import HostCase


class InitFailures(HostCase):
    def load(self, **manifest):
        self.plugin("well", like="crashtest")
        self.plugin("broken", like="stages", **manifest)
        self.host = self.serve()
        health = self.host.wait_state("broken", "FAILED", "INITIALIZED", "UNAVAILABLE")
        self.assertEqual(self.host.run("well", "echo", {"a": 1}).result, {"a": 1})
        return health

    def assert_failed(self, health, error_type, *words):
        self.assertEqual(health["state"], "FAILED", health)
        self.assertEqual(health["last_failure"]["error_type"], error_type, health)
        for word in words:
            self.assertIn(word, health["reason"])
        self.assertEqual(health["instances"], [])
        self.assert_error(self.host.run("broken", "ping"), 503, "PluginUnavailable")

    def test_a_failing_init_is_told_in_its_own_words(self):
        self.assert_failed(self.load(env={"STAGE": "init", "HOW": "fail"}), "InitError",
                           "init went wrong: the flux is off by 7")

    def test_a_crashing_init_is_a_crash_in_init(self):
        health = self.load(env={"STAGE": "init", "HOW": "crash"})
        self.assert_failed(health, "PluginCrashed", "signal 11", "stage=init")
        self.assertIn("going wrong in init", health["last_failure"]["stderr_tail"])

    def test_an_init_that_exits_is_no_success(self):
        self.assert_failed(self.load(env={"STAGE": "init", "HOW": "exit"}), "PluginCrashed",
                           "exited 0", "stage=init")

    def test_a_hanging_init_meets_the_load_deadline(self):
        health = self.load(env={"STAGE": "init", "HOW": "hang"},
                           limits={"load_timeout_seconds": 1})
        self.assert_failed(health, "TimeoutError", "stage=init")

    def test_a_failing_validation_is_told_in_its_own_words(self):
        self.assert_failed(self.load(env={"STAGE": "validate", "HOW": "fail"}), "ValidationError",
                           "validate went wrong: the flux is off by 7")

    def test_a_crashing_validation_is_a_crash_in_validate(self):
        self.assert_failed(self.load(env={"STAGE": "validate", "HOW": "crash"}), "PluginCrashed",
                           "stage=validate")

    def test_a_hanging_validation_meets_the_load_deadline(self):
        health = self.load(env={"STAGE": "validate", "HOW": "hang"},
                           limits={"load_timeout_seconds": 1})
        self.assert_failed(health, "TimeoutError", "stage=validate")

    def test_the_load_deadline_covers_all_stages_together(self):
        health = self.load(env={"STAGE": "init", "HOW": "slow", "SLOW_MS": "60000"},
                           limits={"load_timeout_seconds": 1, "timeout_seconds": 100})
        self.assert_failed(health, "TimeoutError")

    def test_a_slow_init_is_waited_for_and_ends_well(self):
        health = self.load(env={"STAGE": "init", "HOW": "slow", "SLOW_MS": "700"})
        self.assertEqual(health["state"], "INITIALIZED")
        self.assertEqual(self.host.run("broken", "ping").result, {"pong": "pong"})

    def test_a_fini_that_crashes_or_hangs_does_not_hold_up_the_end(self):
        for how in ("crash", "hang"):
            with self.subTest(how=how):
                self.plugin("last", like="stages", env={"STAGE": "fini", "HOW": how})
                host = self.serve()
                self.assertEqual(host.run("last", "ping").result, {"pong": "pong"})
                self.assertEqual(host.stop(), 0)

    def load_with_a_later_instance(self, how, **manifest):
        """Its first process validates; the next one does not."""
        shared = os.path.join(self.folder, "shared")
        os.mkdir(shared)
        os.chmod(shared, 0o777)
        self.plugin("broken", like="stages", permissions={"write": [shared]},
                    env={"STAGE": "validate", "HOW": how, "FIRST": os.path.join(shared, "first")},
                    **manifest)
        self.host = self.serve()

    def test_a_later_instance_that_does_not_validate_fails_the_plugin(self):
        self.load_with_a_later_instance("fail", limits={"instances": 2})
        self.host.wait_state("broken", "FAILED")  # the first one is asked to end, and takes its time
        health = self.host.wait_health("broken", lambda now: not now["instances"])
        self.assert_failed(health, "ValidationError", "validate went wrong: the flux is off by 7")

    def test_an_instance_is_given_no_call_before_it_has_validated(self):
        self.load_with_a_later_instance("hang", limits={"instances": 2})
        lines = self.host.events("/v1/plugins/broken/logs?follow=1")
        self.addCleanup(lines.close)
        lines.until(lambda event, data: event == "line" and "going wrong in validate" in data["text"])
        calls = [self.host.begin("broken", "ping") for _ in range(4)]
        self.assertEqual([call.join().result for call in calls], [{"pong": "pong"}] * 4)

    def test_who_comes_for_a_dead_instance_validates_too(self):
        self.load_with_a_later_instance("fail", on_error="keep")
        os.kill(self.host.health("broken")["instances"][0]["pid"], signal.SIGKILL)
        health = self.host.wait_health("broken", lambda h: h["last_failure"] and
                                       h["last_failure"]["error_type"] == "ValidationError")
        self.assertEqual(health["state"], "INITIALIZED")

    def test_an_init_over_the_memory_limit_is_told_as_that(self):
        health = self.load(env={"STAGE": "init", "HOW": "fat"}, limits={"memory_mb": 128})
        self.assert_failed(health, "MemoryLimitExceeded", "Plugin exceeded 128MB memory limit.",
                           "stage=init")


if __name__ == "__main__":
    unittest.main()
