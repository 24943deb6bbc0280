"""test_python_call_failures.py -- a Python tool that breaks: each way has its state, its error_type and
its words, and the host and its other plugin go on."""
import unittest

from host import SLOW
from python_case import TIMEOUT, PythonCase, functions


class Exceptions(PythonCase):
    def test_an_exception_has_its_class_words_and_traceback(self):
        self.start("def inner(x):\n    return 1 / x\n\n\ndef broken():\n    return inner(0)\n")
        answer = self.host.run("p", "broken")
        self.assert_broke(answer, "ZeroDivisionError", "division by zero")
        trace = answer.json["traceback"]
        self.assertIn('plugin.py", line 2, in inner', trace)
        self.assertIn('plugin.py", line 6, in broken', trace)
        self.assert_readable(trace)
        self.assertIn('plugin.py", line 2, in inner', self.log())

    def test_an_exception_of_its_own_class_has_that_name(self):
        self.start("class FluxError(Exception):\n    pass\n\n\ndef broken():\n"
                   "    raise FluxError('off by 7')\n")
        self.assert_broke(self.host.run("p", "broken"), "FluxError", "off by 7")

    def test_a_chain_of_exceptions_is_told_whole(self):
        self.start("def broken():\n    try:\n        {}['x']\n    except KeyError as e:\n"
                   "        raise RuntimeError('no x') from e\n")
        answer = self.host.run("p", "broken")
        self.assert_broke(answer, "RuntimeError", "no x")
        self.assertIn("KeyError: 'x'", answer.json["traceback"])
        self.assertIn("direct cause", answer.json["traceback"])

    def test_a_module_that_is_missing_only_now_is_named_with_the_command(self):
        self.start("def broken():\n    import no_such_module_7\n")
        self.assert_broke(self.host.run("p", "broken"), "ModuleNotFoundError",
                          "No module named 'no_such_module_7'. "
                          "Install with: pip install no_such_module_7")

    def test_words_of_ten_megabytes_are_bounded_and_inert(self):
        self.start("def broken():\n    raise ValueError('%n%s\\x1b[31m\\x00' + 'x' * (10 << 20))\n")
        answer = self.host.run("p", "broken")
        self.assert_broke(answer, "ValueError", "%n%s")
        self.assertLess(len(answer.body), 64 << 10)
        self.assertNotIn("\x1b", answer.error + answer.json["traceback"])

    def test_an_exception_that_cannot_be_printed_is_told_all_the_same(self):
        self.start("class Mute(Exception):\n    def __str__(self):\n        raise ValueError\n\n\n"
                   "def broken():\n    raise Mute\n")
        self.assert_broke(self.host.run("p", "broken"), "Mute")

    def test_sys_exit_is_its_own_error(self):
        self.start("import sys\n\n\ndef broken():\n    sys.exit(3)\n")
        self.assert_broke(self.host.run("p", "broken"), "SystemExit", "sys.exit(3)")

    def test_a_keyboard_interrupt_is_its_own_error(self):
        self.start("def broken():\n    raise KeyboardInterrupt\n")
        self.assert_broke(self.host.run("p", "broken"), "KeyboardInterrupt")

    def test_a_recursion_without_end_is_its_own_error(self):
        self.start("def broken(n=0):\n    return broken(n + 1)\n")
        answer = self.host.run("p", "broken")
        self.assert_broke(answer, "RecursionError", "maximum recursion depth exceeded")
        self.assertLess(len(answer.json["traceback"]), 16 << 10)

    def test_a_recursion_in_c_is_a_crash_or_its_own_error(self):
        self.start("def broken():\n    x = []\n    for _ in range(10 ** 6):\n        x = [x]\n"
                   "    return repr(x)\n", limits={"memory_mb": 512})
        self.assert_broke(self.host.run("p", "broken"), "RecursionError")

    def test_a_stack_overflow_is_a_crash_that_names_the_line(self):
        self.start("import sys\n\n\nclass Deep:\n    def __getattr__(self, name):\n"
                   "        return getattr(self, name + 'x')\n\n\ndef broken():\n"
                   "    sys.setrecursionlimit(10 ** 9)\n    return Deep().x\n",
                   limits={"timeout_seconds": 60, "memory_mb": 2048})
        health = self.assert_broke(self.host.run("p", "broken"), "PluginCrashed",
                                   "signal 11 (SIGSEGV)")
        self.assertIn("__getattr__", health["last_failure"]["stderr_tail"])

    def test_a_memory_error_is_its_own_error(self):
        self.start("def broken():\n    raise MemoryError('too large a tensor')\n")
        self.assert_broke(self.host.run("p", "broken"), "MemoryError", "too large a tensor")

    def test_an_allocation_that_can_never_be_is_its_own_error(self):
        self.start("def broken():\n    return len(bytearray(1 << 60))\n")
        self.assert_broke(self.host.run("p", "broken"), "MemoryError", "line 2")

    def test_a_wrong_signature_names_the_argument(self):
        self.start("def broken(a, b):\n    return a\n",
                   tools=[{"name": "broken"}])
        self.assert_error(self.host.run("p", "broken", {"a": 1}), 422, "InvalidArguments", "b")
        self.assertEqual(self.host.state("p"), "INITIALIZED")

    def test_an_async_tool_has_its_own_exception(self):
        self.start("import asyncio\n\n\nasync def broken():\n    await asyncio.sleep(0)\n"
                   "    raise ValueError('later')\n")
        answer = self.host.run("p", "broken")
        self.assert_broke(answer, "ValueError", "later")
        self.assertIn('plugin.py", line 6', answer.json["traceback"])


class Declared(PythonCase):
    TEXT = ("import forgesyte\n\n\ndef look(kind='BadImage'):\n"
            "    raise forgesyte.ToolError(kind, 'not an image')\n\n\ndef well():\n    return 1\n")

    def test_a_tool_error_is_422_and_harms_nobody(self):
        self.start(self.TEXT)
        answer = self.host.run("p", "look")
        self.assert_broke(answer, "BadImage", "not an image", status=422, state="INITIALIZED")
        self.assertNotIn("traceback", answer.json)
        self.assertEqual(self.host.run("p", "well").result, 1)

    def test_a_name_that_is_none_is_a_tool_error(self):
        self.start(self.TEXT)
        for kind in ("", "no name", "<script>", "x" * 70):
            with self.subTest(kind=kind):
                self.assert_error(self.host.run("p", "look", {"kind": kind}), 422, "ToolError",
                                  "not an image")


class Deaths(PythonCase):
    def test_an_exit_names_its_code(self):
        for code in (0, 3):
            with self.subTest(code=code):
                self.start(f"import os\n\n\ndef broken():\n    os._exit({code})\n")
                self.assert_broke(self.host.run("p", "broken"), "PluginCrashed",
                                  f"exited {code} without reply", "stage=call")

    def test_a_segfault_names_the_plugins_line(self):
        self.start("import ctypes\n\n\ndef broken():\n    print('going down')\n"
                   "    ctypes.string_at(0)\n")
        answer = self.host.run("p", "broken")
        health = self.assert_broke(answer, "PluginCrashed", "signal 11 (SIGSEGV)", "stage=call",
                                   'plugin.py", line 6 in broken')
        self.assertEqual(health["last_failure"]["signal"], 11)
        self.assertIn("plugin.py", health["last_failure"]["stderr_tail"])

    def test_a_segfault_deep_down_names_the_innermost_line(self):
        self.start("import ctypes\n\n\ndef deep(n):\n    if n == 0:\n        ctypes.string_at(0)\n"
                   "    return deep(n - 1)\n\n\ndef broken():\n    deep(300)\n")
        self.assert_broke(self.host.run("p", "broken"), "PluginCrashed",
                          'plugin.py", line 6 in deep')

    def test_an_abort_has_its_own_signal(self):
        self.start("import os\n\n\ndef broken():\n    os.abort()\n")
        self.assert_broke(self.host.run("p", "broken"), "PluginCrashed", "signal 6 (SIGABRT)",
                          'plugin.py", line 5 in broken')

    def test_a_kill_of_itself_is_no_memory_kill(self):
        self.start("import signal\n\n\ndef broken():\n    signal.raise_signal(signal.SIGKILL)\n")
        self.assert_broke(self.host.run("p", "broken"), "PluginCrashed", "signal 9 (SIGKILL)")

    def test_too_much_memory_is_a_memory_kill(self):
        self.start("def broken():\n    return len(bytearray(b'x') * (700 << 20))\n")
        if self.has_cgroup():
            self.assert_broke(self.host.run("p", "broken"), "MemoryLimitExceeded",
                              "Plugin exceeded 256MB memory limit. Reduce model size or increase "
                              "limit.")
        else:
            self.assert_broke(self.host.run("p", "broken"), "MemoryError", "line 2")

    def test_too_much_memory_in_small_pieces_is_a_memory_kill(self):
        self.start("def broken():\n    kept = []\n    while True:\n"
                   "        kept.append(bytes(range(256)) * 64)\n", limits={"memory_mb": 128})
        self.assert_broke(self.host.run("p", "broken"), "MemoryLimitExceeded", "128MB")

    def test_too_much_memory_while_the_answer_is_written_is_a_memory_kill(self):
        self.start("def broken():\n    return ['x' * 1000] * 31000\n", limits={"memory_mb": 64})
        if not self.has_cgroup():
            self.skipTest("without a cgroup small excesses are let pass")
        self.assert_broke(self.host.run("p", "broken"), "MemoryLimitExceeded", "64MB")


class Hangs(PythonCase):
    SENTENCE = (f"Plugin execution timed out after {TIMEOUT:g}s. Increase timeout in manifest if"
                " needed.")

    def assert_times_out(self, text, *place, **manifest):
        """place: its line and the source there; none: nobody can tell. The answer."""
        def ask():
            self.start(text, limits={"timeout_seconds": TIMEOUT}, **manifest)
            return self.host.run("p", "broken")

        answer = self.until_told(ask) if place else ask()
        words = self.SENTENCE
        if place:
            line, source = place
            words += f" It was in plugin.py line {line}, in broken: {source}"
            self.assertIn(f'plugin.py", line {line} in broken', answer.json["traceback"])
            self.assertIn(f'plugin.py", line {line} in broken', self.log())
            self.assert_readable(answer.json["traceback"])
        self.assert_broke(answer, "TimeoutError", status=504)
        self.assertEqual(answer.error, words)
        self.assertLess(answer.ms, (TIMEOUT + 1 * SLOW) * 1000)
        return answer

    def test_an_endless_loop_is_a_timeout(self):
        self.assert_times_out("def broken():\n    while True: pass\n", 2, "while True: pass")

    def test_an_endless_loop_in_c_that_never_lets_go_is_a_timeout(self):
        self.assert_times_out("def broken():\n    return sum(range(10 ** 18))\n",
                              2, "return sum(range(10 ** 18))")

    def test_a_catastrophic_pattern_is_a_timeout(self):
        self.assert_times_out("import re\n\n\ndef broken():\n"
                              "    return bool(re.match('(a+)+$', 'a' * 60 + 'b'))\n",
                              5, "return bool(re.match('(a+)+$', 'a' * 60 + 'b'))")

    def test_a_sleep_in_c_that_holds_the_interpreter_lock_is_a_timeout(self):
        self.assert_times_out("import ctypes\n\n\ndef broken():\n"
                              "    ctypes.PyDLL(None).sleep(1000)\n",
                              5, "ctypes.PyDLL(None).sleep(1000)")

    def test_a_loop_that_catches_everything_is_a_timeout(self):
        self.assert_times_out("import time\n\n\ndef broken():\n    while True:\n        try:\n"
                              "            time.sleep(1000)\n        except BaseException:\n"
                              "            pass\n", 7, "time.sleep(1000)")

    def test_signals_that_a_tool_blocks_do_not_help(self):
        self.assert_times_out("import signal, time\n\n\ndef broken():\n    signal.pthread_sigmask("
                              "signal.SIG_BLOCK, signal.valid_signals())\n    time.sleep(1000)\n",
                              6, "time.sleep(1000)")

    def test_a_plugin_that_ignores_every_signal_gets_the_plain_sentence(self):
        answer = self.assert_times_out(
            "import signal, time\n\n\ndef broken():\n    for n in signal.valid_signals():\n"
            "        try:\n            signal.signal(n, signal.SIG_IGN)\n"
            "        except (OSError, ValueError):\n            pass\n    time.sleep(1000)\n")
        self.assertNotIn("traceback", answer.json)

    def test_without_stderr_there_is_the_plain_sentence(self):
        self.assert_times_out("import os, time\n\n\ndef broken():\n    os.close(2)\n"
                              "    time.sleep(1000)\n")

    def test_a_talker_is_told_all_the_same(self):
        """Its stderr is full of its own words when it is asked."""
        answer = self.assert_times_out("import os\n\n\ndef broken():\n    while True: os.write(2,"
                                       " b'still here\\n')\n",
                                       5, "while True: os.write(2, b'still here\\n')")
        self.assertNotIn("still here\n", answer.json["traceback"])

    def test_a_deep_stack_is_told_from_its_innermost_frame(self):
        self.assert_times_out("import time\n\n\ndef broken(n=300):\n    if n == 0:\n"
                              "        time.sleep(1000)\n    return broken(n - 1)\n",
                              6, "time.sleep(1000)")

    def test_the_tools_thread_comes_first_and_others_follow(self):
        answer = self.assert_times_out(
            "import threading, time\n\n\ndef poll():\n    time.sleep(1000)\n\n\n"
            "def broken():\n    for n in range(3):\n"
            "        threading.Thread(target=poll, daemon=True).start()\n    time.sleep(1000)\n",
            11, "time.sleep(1000)")
        trace = answer.json["traceback"]
        self.assertTrue(trace.startswith("Main thread (most recent call first):\n"), trace)
        self.assertEqual(trace.count('plugin.py", line 5 in poll'), 3)

    def test_a_deadlock_with_itself_is_a_timeout(self):
        self.assert_times_out("import threading\n\n\ndef broken():\n"
                              "    lock = threading.Lock()\n    lock.acquire()\n"
                              "    lock.acquire()\n", 7, "lock.acquire()")

    def test_reading_stdin_is_no_hang(self):
        self.start("def broken():\n    return input()\n")
        self.assert_broke(self.host.run("p", "broken"), "EOFError")

    def test_a_forked_instance_is_asked_as_well(self):
        self.assert_times_out("import time\n\n\ndef broken():\n    time.sleep(1000)\n",
                              5, "time.sleep(1000)", prefork=True)

    def test_an_async_tool_that_never_ends_is_a_timeout(self):
        def ask():
            self.start("import asyncio\n\n\nasync def broken():\n"
                       "    await asyncio.Event().wait()\n", limits={"timeout_seconds": TIMEOUT})
            return self.host.run("p", "broken")

        self.assert_broke(self.until_told(ask), "TimeoutError", self.SENTENCE
                          + " It was in the event loop: an await did not end.", status=504)

    def test_a_call_that_met_its_deadline_waiting_says_so(self):
        self.python_plugin(functions("import time\ntime.sleep(5)\n\n\ndef go():\n    return 1\n"),
                           limits={"timeout_seconds": 0.5})
        self.host = self.serve(wait=False)
        self.host.wait_state("p", "LOADED", "INITIALIZED")
        self.assert_error(self.host.run("p", "go"), 504, "TimeoutError",
                          "Plugin execution timed out after 0.5s. Increase timeout in manifest if"
                          " needed. It waited for ")

    def test_on_error_keep_keeps_the_plugin_after_a_hang(self):
        def ask():
            self.start("def broken():\n    while True: pass\n\n\ndef well():\n    return 1\n",
                       limits={"timeout_seconds": TIMEOUT}, on_error="keep")
            return self.host.run("p", "broken")

        self.assert_error(self.until_told(ask), 504, "TimeoutError", "line 2, in broken")
        self.assertEqual(self.host.run("p", "well").result, 1)


class Kept(PythonCase):
    TEXT = ("import os\n\ncalls = []\n\n\ndef count():\n    calls.append(1)\n"
            "    return {'calls': len(calls), 'pid': os.getpid()}\n\n\n"
            "def broken():\n    raise ValueError('no')\n\n\ndef leave():\n    raise SystemExit\n\n\n"
            "def crash():\n    os._exit(3)\n")

    def test_on_error_keep_keeps_the_very_interpreter_after_an_exception(self):
        self.start(self.TEXT, on_error="keep")
        self.assertEqual(self.host.run("p", "count").result["calls"], 1)
        pid = self.host.health("p")["instances"][0]["pid"]
        for tool, name in (("broken", "ValueError"), ("leave", "SystemExit")):
            self.assert_error(self.host.run("p", tool), 502, name)
        self.assertEqual(self.host.run("p", "count").result["calls"], 2)
        health = self.host.health("p")
        self.assertEqual((health["instances"][0]["pid"], health["state"]), (pid, "INITIALIZED"))
        self.assertEqual((health["success_count"], health["error_count"]), (2, 2))

    def test_on_error_keep_replaces_an_interpreter_that_died(self):
        self.start(self.TEXT, on_error="keep")
        pid = self.host.health("p")["instances"][0]["pid"]
        self.assert_error(self.host.run("p", "crash"), 502, "PluginCrashed", "exited 3")
        self.assertEqual(self.host.run("p", "count").result["calls"], 1)
        self.assertNotEqual(self.host.health("p")["instances"][0]["pid"], pid)
        self.assertEqual(self.host.state("p"), "INITIALIZED")


if __name__ == "__main__":
    unittest.main()
