"""test_calls.py -- what a tool gets, what becomes of its answer, and of what it raises."""
import json
import os
import time
import unittest

import fake_host
from fake_host import Died, Error
from plugin_folder import PluginTest

DECLARED, EXCEPTION, ABI, IMPORT = range(4)


class CallTest(PluginTest):
    def setUp(self):
        self.tools = self.started(self.named("tools"))

    def call(self, tool, *blobs, **arguments):
        """The result as a Python value, or the Error."""
        outcome = self.tools.call(tool, json.dumps(arguments), *blobs)
        if isinstance(outcome, Error):
            return outcome
        self.blobs = outcome.blobs
        return json.loads(outcome.json)

    def failure(self, tool, *blobs, **arguments):
        error = self.call(tool, *blobs, **arguments)
        self.assertIsInstance(error, Error)
        self.assertEqual(self.call("nothing"), None, "the loop goes on")
        return error


class ArgumentsTest(CallTest):
    def test_handlers_get_the_arguments_that_they_take(self):
        self.assertEqual(self.call("some", a=1, c=5, unknown=6), [1, 2, 5])
        self.assertEqual(self.call("positional", a=1, b=5), [1, 5])
        self.assertEqual(self.call("echo", a=1, b=[None]), {"a": 1, "b": [None]})
        self.assertEqual(self.call("whole", a=1, b={}), {"a": 1, "b": {}})

    def test_a_missing_argument_is_the_clients_mistake(self):
        self.assertEqual(self.failure("some", b=1), (DECLARED, "InvalidArguments",
                                                     "/a: this argument is missing", ""))

    def test_bytes_arrive_as_bytes_of_any_size(self):
        for n in (0, 1, 60_000, 70_000, 6_000_000):
            self.assertEqual(self.call("kind", ("data", "image/png", bytes(n)), note="x"),
                             {"type": "bytes", "size": n, "note": "x"})

    def test_several_bytes_arguments_and_a_large_json(self):
        blobs = [(f"b{i}", "", bytes([i]) * 50_000) for i in range(5)]
        result = self.call("echo", *blobs, text="x" * 100_000)
        self.assertEqual(len(result.pop("text")), 100_000)
        self.assertEqual(sorted(self.blobs), [f"b{i}" for i in range(5)])
        self.assertEqual(self.blobs["b3"][1], bytes([3]) * 50_000)

    def test_base64_that_the_host_left_alone_is_decoded(self):
        for text in ("YWJj", "data:image/png;base64,YWJj", "YW\nJj"):
            self.assertEqual(self.call("kind", data=text)["size"], 3)
        error = self.failure("kind", data="?")
        self.assertEqual((error.kind, error.type), (DECLARED, "InvalidArguments"))
        self.assertTrue(error.text.startswith("/data: this is not base64"), error.text)

    def test_names_of_bytes_and_of_base64_are_understood(self):
        frame = ("frame_bytes", "image/png", b"abc")
        self.assertEqual(self.call("frame", frame, frame_base64="YWJj"), ["bytes", "YWJj"])
        text = ("frame_base64", "image/png", b"abc")
        self.assertEqual(self.call("frame", frame, text), ["bytes", "YWJj"])

    def test_an_uploaded_video_is_a_read_only_file_until_the_call_is_over(self):
        result = self.call("watch_video", ("video_path", "video/mp4", b"x" * 1000))
        self.assertEqual(result["size"], 1000)
        self.assertEqual((result["suffix"], result["bits"]), (".mp4", "0o400"))
        if os.getuid():
            self.assertEqual(result["mode"], "read-only")
        self.assertTrue(self.call("is_video_gone"))
        self.assertEqual(self.call("echo", video_path="/as/it/is"), {"video_path": "/as/it/is"})

    def test_no_such_tool(self):
        for name in ("gone", "__init__", "name", "run_tool"):
            error = self.failure(name)
            self.assertEqual(error[:2] + error[3:], (EXCEPTION, "PluginError", ""))
            self.assertTrue(error.text.startswith(f"no tool is named {name}"), error.text)
        self.assertEqual(self.failure("wacth_video").text,
                         "no tool is named wacth_video; did you mean watch_video?")


class ResultTest(CallTest):
    def test_nothing_is_null(self):
        self.assertIsNone(self.call("nothing"))

    def test_bytes_travel_beside_the_json(self):
        self.assertEqual(self.call("crop"), {"n": 1})
        self.assertEqual(self.blobs, {"crop": ("image/png", b"abc")})

    def test_what_is_not_json_is_invalid_output_with_its_place(self):
        self.assertEqual(self.failure("a_set"), (EXCEPTION, "InvalidOutput",
                                                 "result.boxes[0].mask: set is not JSON (make it"
                                                 " a list)", ""))

    def test_a_result_that_is_too_large_is_told_by_the_worker(self):
        self.tools = self.started(self.named("tools"), max_output=1000)
        self.assertEqual(self.call("large", n=998), "x" * 998)
        error = self.failure("large", n=999)
        self.assertEqual((error.kind, error.type), (EXCEPTION, "OutputTooLarge"))


class FailureTest(CallTest):
    def test_an_exception_has_class_words_and_traceback(self):
        error = self.failure("raises", what="ValueError('bad weather')")
        self.assertEqual(error[:3], (EXCEPTION, "ValueError", "bad weather"))
        lines = error.traceback.splitlines()
        self.assertEqual(lines[0], "Traceback (most recent call last):")
        self.assertRegex(lines[1], r'^  File ".*/tools/plugin\.py", line \d+, in raises$')
        self.assertEqual(lines[-1], "ValueError: bad weather")
        self.assertEqual(len(lines), 4, "no frame of the runtime")

    def test_a_declared_error_is_the_clients(self):
        self.assertEqual(self.failure("declared", type="BadImage", message="no JPEG"),
                         (DECLARED, "BadImage", "no JPEG", ""))
        self.assertEqual(self.failure("declared", type="no name", message="x").type, "ToolError")
        self.assertEqual(self.failure("declared", type="Empty", message="").text, "Empty")

    def test_what_ends_other_programs_is_an_error_here(self):
        for tool, type_, words in (
                ("exits", "SystemExit", "sys.exit(3)"),
                ("interrupted", "KeyboardInterrupt", "in plugin.py line"),
                ("recursion", "RecursionError", "maximum recursion depth exceeded"),
                ("memory", "MemoryError", "in plugin.py line"),
                ("checks", "AssertionError", "in plugin.py line"),
                ("raises_later", "LookupError", "later")):
            error = self.failure(tool)
            self.assertEqual((error.kind, error.type), (EXCEPTION, type_))
            self.assertTrue(error.text.startswith(words), error.text)
        for what, type_ in (("BaseException('x')", "BaseException"),
                            ("GeneratorExit('x')", "GeneratorExit"),
                            ("asyncio.CancelledError('x')", "CancelledError"),
                            ("StopIteration('x')", "StopIteration"),
                            ("_Private('x')", "KeyError")):
            self.assertEqual(self.failure("raises", what=what).type, type_)

    def test_an_exception_that_cannot_be_printed(self):
        error = self.failure("raises", what="Odd()")
        self.assertEqual(error.text, "<a Odd that cannot be printed>")
        self.assertEqual(self.failure("raises", what="Unspeakable('x')")[:3], (
            EXCEPTION, "Exception", "an exception that cannot be described"))

    def test_long_and_dangerous_words_are_bounded_and_inert(self):
        error = self.failure("long_words")
        self.assertTrue(error.text.startswith("%n%s\\x1b[31m\\x00xxx"))
        self.assertTrue(error.text.endswith("…"))
        self.assertLessEqual(len(error.text.encode()), 4096)
        self.assertLessEqual(len(error.traceback.encode()), 16 << 10)

    def test_a_deep_traceback_is_bounded_and_keeps_both_ends(self):
        error = self.failure("deep")
        self.assertLessEqual(len(error.traceback.encode()), 16 << 10)
        self.assertIn("in deep", error.traceback)
        self.assertTrue(error.traceback.rstrip().endswith("left out)"))
        self.assertIn("ValueError: at the bottom", error.traceback)

    def test_causes_are_shown(self):
        error = self.failure("chained")
        self.assertEqual(error.text, "wrapped")
        self.assertIn("KeyError: 'a'", error.traceback)
        self.assertIn("direct cause", error.traceback)

    def test_a_package_that_is_missing_at_the_call(self):
        error = self.failure("imports")
        self.assertEqual(error[:3], (EXCEPTION, "ModuleNotFoundError", "No module named"
                                     " 'nosuchtorch'. Install with: pip install nosuchtorch"))

    def test_a_death_is_a_death(self):
        for how, status in (("os._exit(3)", 3), ("os.kill(os.getpid(), 9)", -9),
                            ("os.abort()", -6), ("__import__('ctypes').string_at(0)", -11)):
            with self.assertRaises(Died) as caught:
                self.call("dies", how=how)
            self.assertEqual(caught.exception.status, status)
            self.tools = self.started(self.named("tools"))
        self.assertIn("Segmentation fault", caught.exception.log)

    def test_a_request_with_another_number_of_descriptors_is_a_violation(self):
        for kind, n in ((fake_host.CALL, 1), (fake_host.CALL, 2), (fake_host.CANCEL, 1),
                        (fake_host.CALL_SHM, 0), (fake_host.CALL_SHM, 3),
                        (fake_host.CALL_SHM, 5)):
            with self.subTest(kind=kind, n=n):
                runtime = self.started(self.named("basic"))
                with open(os.devnull, "rb") as null:
                    runtime.send(kind, fds=[null.fileno()] * n)
                with self.assertRaises(Died) as caught:
                    runtime.frame()
                self.assertEqual(caught.exception.status, 71)
                self.assertIn("descriptors", runtime.log())

    def test_a_tool_that_closes_every_descriptor_ends_the_process(self):
        with self.assertRaises(Died) as caught:
            self.call("closes_everything")
        self.assertEqual(caught.exception.status, 219)


class SurroundingsTest(CallTest):
    def test_print_and_logging_are_lines_of_the_log(self):
        self.assertEqual(self.call("speaks"), 1)
        self.assertEqual(self.tools.log().splitlines(),
                         ["printed", "wrong", "INFO plugin: informed", "no newline"])
        self.assertEqual(self.tools.logs[:2], [(2, "a 1"), (0, "bad")])
        self.assertLessEqual(len(self.tools.logs[2][1].encode()), 16 << 10)

    def test_progress_is_sent_and_held_back(self):
        self.assertEqual(self.call("counts"), 1)
        self.assertEqual(self.tools.progress[:3], [(1, 4), (2, 4), (3, 4)])
        self.assertLess(len(self.tools.progress), 6)

    def test_a_thread_that_speaks_after_the_answer(self):
        self.assertEqual(self.call("leaves_a_thread"), 1)
        deadline = time.monotonic() + fake_host.SECONDS
        while not self.tools.logs and time.monotonic() < deadline:
            kind, payload = self.tools.frame()
            self.assertEqual(kind, fake_host.LOG, "nothing but LOG comes from an idle worker")
            self.tools.logs.append(payload)
        self.assertEqual(self.call("nothing"), None)
        self.assertEqual(self.tools.progress, [])

    def test_async_tools_share_one_loop(self):
        self.assertEqual(self.call("later", n=1), 2)
        self.assertEqual(self.call("loop_id"), self.call("loop_id"))

    def test_a_fork_that_comes_back_from_the_call_says_nothing(self):
        self.assertEqual(self.call("forks"), 0)
        self.assertEqual(self.call("nothing"), None)
        self.assertEqual((self.tools.logs, self.tools.progress), ([], []))

    def test_programs_do_not_inherit_the_wire(self):
        self.assertEqual(self.call("starts_a_program"), 1)

    def test_a_timer_that_goes_off_between_calls_is_told_in_the_log(self):
        self.assertEqual(self.call("alarms_later"), 1)
        deadline = time.monotonic() + fake_host.SECONDS
        while "too late" not in self.tools.log() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertIn("TimeoutError: too late", self.tools.log())
        self.assertEqual(self.call("nothing"), None)


del CallTest  # it has no tests of its own

if __name__ == "__main__":
    unittest.main()
