"""test_sandbox_integration.py -- the error table, row by row: status, type, words, and what becomes of
the plugin. After each row the host and its other plugin go on, and one error counted once."""
import unittest

from host import HostCase


class ErrorTable(HostCase):
    def start(self, like="crashtest", *args, **manifest):
        self.plugin("p", like=like, **manifest)
        self.plugin("well", like="crashtest")
        self.host = self.serve(*args)

    def check(self, answer, status, error_type, words, state, counted=1):
        self.assert_error(answer, status, error_type, words)
        health = self.host.health("p")
        self.assertEqual(health["state"], state, health)
        self.assertEqual(health["error_count"], counted, "counted once")
        self.assertEqual(health["success_count"], 0)
        self.assertEqual(self.host.run("well", "echo", {"a": [1, "ü"]}).result, {"a": [1, "ü"]})
        if state == "FAILED":
            words = answer.error
            if not words.startswith("Plugin "):  # "Plugin crashed: ..." names the fault itself
                words = f"{answer.error_type}: {words}"
            self.assertEqual(health["reason"], words)
            self.assertEqual(health["last_failure"]["error_type"], error_type)
            self.assert_error(self.host.run("p", "echo"), 503, "PluginUnavailable",
                              answer.error[:40])
            self.assertEqual(self.host.health("p")["error_count"], counted,
                             "a refused call is no error of the plugin")
        else:
            self.assertIsNone(health["reason"])
        return health

    # ---- the request: the plugin is unchanged ------------------------------------------------

    def test_malformed_json_is_bad_request(self):
        self.start()
        answer = self.host.request("POST", "/v1/plugins/p/tools/echo/run", '{"a": 1',
                                   {"Content-Type": "application/json"})
        self.check(answer, 400, "BadRequest", "", "INITIALIZED", 0)

    def test_an_unknown_plugin_is_not_found(self):
        self.start()
        self.check(self.host.run("nobody", "echo"), 404, "PluginNotFound", "well",
                   "INITIALIZED", 0)

    def test_an_unknown_tool_is_not_found_and_the_others_are_named(self):
        self.start()
        self.check(self.host.run("p", "dance"), 404, "ToolNotFound", "segfault", "INITIALIZED", 0)

    def test_arguments_against_the_schema_are_refused_with_pointer_and_rule(self):
        self.start()
        answer = self.host.run("p", "sleep", {"ms": -5})
        self.check(answer, 422, "InvalidArguments", "/ms", "INITIALIZED", 0)
        self.assertIn("0", answer.error)

    def test_an_argument_too_many_is_refused(self):
        self.start()
        self.check(self.host.run("p", "sleep", {"msec": 5}), 422, "InvalidArguments", "msec",
                   "INITIALIZED", 0)

    def test_an_error_that_the_plugin_declares_leaves_it_alone(self):
        self.start()
        answer = self.host.run("p", "error", {"type": "BadImage", "message": "not an image"})
        self.check(answer, 422, "BadImage", "not an image", "INITIALIZED")
        self.assertEqual(self.host.run("p", "echo", {"a": 1}).result, {"a": 1})

    # ---- the plugin: FAILED ------------------------------------------------------------------

    def test_a_segfault_is_a_crash_with_its_signal(self):
        self.start()
        health = self.check(self.host.run("p", "segfault"), 502, "PluginCrashed",
                            "signal 11 (SIGSEGV)", "FAILED")
        self.assertEqual(health["last_failure"]["signal"], 11)

    def test_an_abort_is_a_crash_with_its_own_signal(self):
        self.start()
        self.check(self.host.run("p", "abort"), 502, "PluginCrashed", "signal 6 (SIGABRT)",
                   "FAILED")

    def test_an_exit_with_0_is_a_crash_all_the_same(self):
        self.start()
        self.check(self.host.run("p", "exit"), 502, "PluginCrashed", "exited 0", "FAILED")

    def test_an_exit_with_3_names_its_code(self):
        self.start()
        self.check(self.host.run("p", "exit", {"code": 3}), 502, "PluginCrashed", "exited 3",
                   "FAILED")

    def test_a_stack_overflow_is_a_crash(self):
        self.start(limits={"timeout_seconds": 20})
        self.check(self.host.run("p", "stack_overflow"), 502, "PluginCrashed", "signal 11",
                   "FAILED")

    def test_a_signal_to_itself_is_named(self):
        for signal, name in ((15, "SIGTERM"), (14, "SIGALRM"), (13, "SIGPIPE"), (8, "SIGFPE")):
            with self.subTest(signal=name):
                self.start("answers")
                self.assert_error(self.host.run("p", "kill_self", {"signal": signal}), 502,
                                  "PluginCrashed", f"signal {signal} ({name})")

    def test_the_last_words_on_stderr_are_kept(self):
        self.start("stages", env={"STAGE": "init", "HOW": "crash"})
        self.assertIn("going wrong in init",
                      self.host.health("p")["last_failure"]["stderr_tail"])

    def test_an_undeclared_failure_is_plugin_error(self):
        self.start()
        self.check(self.host.run("p", "fail"), 502, "PluginError", "", "FAILED")

    def test_a_hang_is_a_timeout(self):
        self.start()
        self.check(self.host.run("p", "hang"), 504, "TimeoutError",
                   "Plugin execution timed out after 2s. Increase timeout in manifest if needed.",
                   "FAILED")

    def test_too_much_memory_is_a_memory_kill(self):
        self.start(limits={"timeout_seconds": 20})
        self.check(self.host.run("p", "allocate"), 502, "MemoryLimitExceeded",
                   "Plugin exceeded 256MB memory limit. Reduce model size or increase limit.",
                   "FAILED")

    def test_garbage_on_every_descriptor_is_a_protocol_error(self):
        self.start()
        self.check(self.host.run("p", "garbage"), 502, "ProtocolError", "", "FAILED")

    def test_a_closed_wire_is_a_protocol_error(self):
        self.start("answers")
        self.check(self.host.run("p", "unplug"), 502, "ProtocolError", "channel", "FAILED")

    def test_a_forbidden_system_call_is_a_violation(self):
        self.start("answers")
        self.check(self.host.run("p", "int80"), 502, "SandboxViolation", "SIGSYS", "FAILED")

    def test_an_output_over_the_limit_is_too_large(self):
        self.start("answers", "--max-output", "1M")
        self.check(self.host.run("p", "large", {"bytes": 4 << 20}), 502, "OutputTooLarge", "",
                   "FAILED")

    def test_an_output_within_the_limit_passes(self):
        self.start("answers")
        self.assertEqual(len(self.host.run("p", "large", {"bytes": 20 << 20}).result["text"]),
                         20 << 20)

    def test_wrong_outputs_are_invalid_output(self):
        for kind in ("truncated", "text", "nan", "huge number", "invalid utf-8", "surrogate",
                     "duplicate", "wrong type", "missing"):
            with self.subTest(kind=kind):
                self.start("answers")
                self.check(self.host.run("p", "raw", {"kind": kind}), 502, "InvalidOutput", "",
                           "FAILED")

    def test_an_output_against_its_schema_names_the_pointer(self):
        self.start("answers")
        self.check(self.host.run("p", "raw", {"kind": "wrong type"}), 502, "InvalidOutput", "/a",
                   "FAILED")

    def test_an_output_that_nests_100000_deep_is_invalid(self):
        self.start("answers")
        self.check(self.host.run("p", "deep"), 502, "InvalidOutput", "", "FAILED")

    def test_a_good_answer_has_its_time(self):
        self.start("answers")
        answer = self.host.run("p", "raw")
        self.assertEqual((answer.status, answer.result), (200, {"a": 1}))
        self.assertEqual(set(answer.json), {"ok", "result", "execution_time_ms"})
        self.assertLess(0, answer.json["execution_time_ms"])

    def test_no_answer_at_all_is_an_empty_object(self):
        self.start("answers")
        self.assertEqual(self.host.run("p", "nothing").result, {})

    def test_bytes_come_back_with_their_type(self):
        import base64
        self.start("answers")
        result = self.host.run("p", "bytes").result
        self.assertEqual(result["note"], "a tiny GIF")
        self.assertEqual(result["image"]["content_type"], "image/gif")
        self.assertEqual(base64.b64decode(result["image"]["base64"])[:6], b"GIF89a")


class Instances(HostCase):
    def test_two_instances_run_two_calls_at_once(self):
        self.plugin("p", like="answers", limits={"instances": 2})
        host = self.serve()
        self.assertEqual(len(host.health("p")["instances"]), 2)
        calls = [host.begin("p", "stubborn", {"ms": 2000}) for _ in range(2)]
        host.wait_health("p", lambda h: h["in_flight"] == 2)
        answers = [call.join() for call in calls]
        self.assertLess(max(answer.ms for answer in answers), 3900)

    def test_one_instance_runs_one_call_at_a_time(self):
        self.plugin("p", like="answers", limits={"instances": 1})
        host = self.serve()
        calls = [host.begin("p", "stubborn", {"ms": 500}) for _ in range(2)]
        answers = [call.join() for call in calls]
        self.assertGreater(max(answer.ms for answer in answers), 950)

    def test_when_one_instance_crashes_the_others_call_ends_well(self):
        self.plugin("p", like="answers", limits={"instances": 2})
        host = self.serve()
        call = host.begin("p", "stubborn", {"ms": 1000})
        host.wait_health("p", lambda h: h["in_flight"] == 1)
        self.assert_error(host.run("p", "kill_self", {"signal": 11}), 502, "PluginCrashed")
        self.assertEqual(host.state("p"), "FAILED")
        self.assertEqual(call.join().status, 200)
        self.assertEqual(host.state("p"), "FAILED")

    def test_queued_calls_of_a_plugin_that_fails_are_told(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        first = host.begin("p", "sleep", {"ms": 500})
        host.wait_health("p", lambda h: h["in_flight"] == 1)
        bad = host.begin("p", "segfault")
        host.wait_health("p", lambda h: h["queue_depth"] == 1)
        queued = host.begin("p", "echo")
        host.wait_health("p", lambda h: h["queue_depth"] == 2)
        self.assertEqual(first.join().status, 200)
        self.assert_error(bad.join(), 502, "PluginCrashed")
        self.assert_error(queued.join(), 503, "PluginUnavailable", "SIGSEGV")


class Queue(HostCase):
    def test_a_full_queue_is_busy_and_says_when_to_come_back(self):
        self.plugin("p", like="crashtest", limits={"queue": 2, "timeout_seconds": 30})
        host = self.serve()
        calls = [host.begin("p", "sleep", {"ms": 1500})]
        host.wait_health("p", lambda h: h["in_flight"] == 1)
        for depth in (1, 2):
            calls.append(host.begin("p", "sleep", {"ms": 1}))
            host.wait_health("p", lambda h, d=depth: h["queue_depth"] == d)
        answer = host.run("p", "echo")
        self.assert_error(answer, 429, "PluginBusy")
        self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)
        self.assertEqual([call.join().status for call in calls], [200, 200, 200])
        self.assertEqual(host.run("p", "echo").status, 200)
        health = host.health("p")
        self.assertEqual((health["success_count"], health["error_count"]), (4, 0))

    def test_calls_are_served_in_order(self):
        self.plugin("p", like="crashtest", limits={"timeout_seconds": 30})
        host = self.serve()
        first = host.begin("p", "sleep", {"ms": 700})
        host.wait_health("p", lambda h: h["in_flight"] == 1)
        order, calls = [], []
        for i in range(5):
            calls.append(host.begin("p", "echo", {"i": i}))
            host.wait_health("p", lambda h, d=i: h["queue_depth"] == d + 1)
        first.join()
        order = [call.join() for call in calls]
        self.assertEqual([answer.result["i"] for answer in order], list(range(5)))


if __name__ == "__main__":
    unittest.main()
