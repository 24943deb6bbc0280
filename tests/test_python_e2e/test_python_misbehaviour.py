"""test_python_misbehaviour.py -- Python tools that do what nobody should: with descriptors, children,
threads, streams and signals. The host stays whole, and what is wrong is told."""
import json
import time
import unittest

from host import PATIENCE, SLOW
from python_case import TIMEOUT, PythonCase

WELL = "\n\ndef well(x=1):\n    return {'x': x}\n"


class Descriptors(PythonCase):
    def test_a_tool_that_closes_every_descriptor_is_told_so(self):
        self.start("import os\n\n\ndef broken():\n    os.closerange(0, 1024)\n    return 1\n")
        self.assert_broke(self.host.run("p", "broken"), "ProtocolError", "channel", "stage=call")

    def test_a_tool_that_closes_them_and_goes_on_is_not_waited_for(self):
        self.start("import os, time\n\n\ndef broken():\n    os.closerange(0, 1024)\n"
                   "    time.sleep(1000)\n", limits={"timeout_seconds": 100})
        answer = self.host.run("p", "broken")
        self.assert_broke(answer, "ProtocolError", "channel", "stage=call")
        self.assertLess(answer.ms, 5000 * SLOW)

    def test_garbage_on_the_wire_is_a_protocol_error(self):
        self.start("import os\n\n\ndef broken():\n    os.write(3, b'garbage' * 10)\n    return 1\n")
        self.assert_broke(self.host.run("p", "broken"), "ProtocolError", "magic", "stage=call")

    def test_another_file_in_the_wires_place_is_a_protocol_error(self):
        self.start("import os\n\n\ndef broken():\n    os.dup2(os.pipe()[1], 3)\n    return 1\n")
        self.assert_broke(self.host.run("p", "broken"), "ProtocolError", "channel")

    def test_closed_streams_harm_nobody(self):
        self.start("import os, sys\n\n\ndef odd():\n    sys.stdout.close()\n    sys.stderr = None\n"
                   "    os.close(1)\n    os.close(2)\n    print('x')\n    return 1\n" + WELL,
                   on_error="keep")
        self.assertIn(self.host.run("p", "odd").status, (200, 502))
        self.assertEqual(self.host.run("p", "well").result, {"x": 1})

    def test_opening_descriptors_without_end_is_its_own_error(self):
        self.start("import os\n\n\ndef broken():\n    while True:\n        os.dup(1)\n")
        self.assert_broke(self.host.run("p", "broken"), "OSError", "Too many open files")

    def test_a_box_has_four_descriptors(self):
        self.start("import os\n\n\ndef look():\n    return sorted(os.listdir('/proc/self/fd'))\n")
        seen = set(map(int, self.host.run("p", "look").result))
        self.assertEqual(len(seen - {0, 1, 2, 3}), 1, "the listing itself")


class Streams(PythonCase):
    def test_binary_on_stdout_is_a_log_and_no_harm(self):
        self.start("import sys\n\n\ndef odd():\n    sys.stdout.buffer.write(bytes(range(256)) * 4)\n"
                   "    print('\\ud800 \\x1b[31m ü')\n    return 1\n" + WELL)
        self.assertEqual(self.host.run("p", "odd").result, 1)
        body = self.host.get("/v1/plugins/p/logs").body
        text = "\n".join(line["text"] for line in json.loads(body)["lines"])
        self.assertIn("ü", text)
        self.assertNotIn("\x1b", text)
        self.assertEqual(self.host.run("p", "well").result, {"x": 1})

    def test_what_is_printed_in_a_call_is_in_the_log_before_the_answer(self):
        self.start("import sys\n\n\ndef talk(n):\n    print('out', n)\n"
                   "    print('err', n, file=sys.stderr)\n    return 1\n")
        for n in range(50):
            self.assertEqual(self.host.run("p", "talk", {"n": n}).result, 1)
            for stream in ("out", "err"):
                self.assertIn(f"{stream} {n}", self.log())

    def test_logging_and_forgesyte_log_are_lines_of_the_log(self):
        self.start("import logging\nimport warnings\nimport forgesyte\n\n\ndef talk():\n"
                   "    logging.getLogger('mine').warning('low light')\n"
                   "    warnings.warn('old call')\n    forgesyte.log('seen', 3, level='info')\n"
                   "    return 1\n")
        self.assertEqual(self.host.run("p", "talk").result, 1)
        for words in ("low light", "old call", "seen 3"):
            self.assertIn(words, self.log())

    def test_a_flood_of_lines_is_bounded(self):
        self.start("def talk():\n    for i in range(200000):\n        print('x' * 100, i)\n"
                   "    return 1\n")
        before = self.host.rss_bytes()
        self.assertEqual(self.host.run("p", "talk").result, 1)
        if SLOW == 1:  # a sanitizer keeps what is freed
            self.assertLess(self.host.rss_bytes() - before, 4 << 20)
        self.assertLess(len(self.host.get("/v1/plugins/p/logs?tail=100000").body), 2 << 20)


class Children(PythonCase):
    def test_a_fork_is_refused_with_words_or_speaks_for_nobody(self):
        """Both return from the tool: there is one answer, and the next call is right."""
        self.start("import os\n\n\ndef fork():\n    return {'child': os.fork() == 0}\n" + WELL,
                   on_error="keep")
        answer = self.host.run("p", "fork")
        if answer.status == 200:
            self.assertEqual(answer.result, {"child": False})
        else:
            self.assert_error(answer, 502, "PermissionError", "Operation not permitted")
        self.assertEqual(self.host.run("p", "well", {"x": 2}).result, {"x": 2})
        self.assertEqual(self.host.state("p"), "INITIALIZED")

    def test_a_child_that_sleeps_does_not_hold_up_the_end(self):
        self.start("import subprocess\n\n\ndef child():\n    try:\n"
                   "        subprocess.Popen(['sleep', '1000'])\n    except OSError as e:\n"
                   "        return str(e)\n    return 'begun'\n" + WELL)
        self.assertIn(self.host.run("p", "child").result,
                      ("begun", "[Errno 1] Operation not permitted"))
        self.assertEqual(self.host.run("p", "well").result, {"x": 1})

    def test_many_threads_and_no_more_are_its_own_error(self):
        self.start("import threading, time\n\n\ndef broken():\n    while True:\n"
                   "        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n",
                   limits={"timeout_seconds": 60})
        self.assert_broke(self.host.run("p", "broken"), "RuntimeError", "start new thread")


class Threads(PythonCase):
    def test_a_daemon_thread_that_writes_after_the_answer_disturbs_nobody(self):
        self.start("""
import threading
import time

import forgesyte

stop = threading.Event()


def late():
    def write():
        while not stop.is_set():
            forgesyte.progress(1, 2)
            forgesyte.log("late")
            print("later")
            time.sleep(0.005)
    threading.Thread(target=write, daemon=True).start()
    return "answered"


def end():
    stop.set()
    return 1
""" + WELL)
        self.assertEqual(self.host.run("p", "late").result, "answered")
        for x in range(20):
            self.assertEqual(self.host.run("p", "well", {"x": x}).result, {"x": x})
        self.host.run("p", "end")
        self.assertEqual(self.host.state("p"), "INITIALIZED")
        self.assertIn("later", self.log())

    def test_an_exception_in_a_thread_is_in_the_log_and_harms_no_call(self):
        self.start("import threading\n\n\ndef odd():\n    t = threading.Thread(target=lambda: 1 / 0)\n"
                   "    t.start()\n    t.join()\n    return 1\n")
        self.assertEqual(self.host.run("p", "odd").result, 1)
        self.assertIn("ZeroDivisionError", self.log())

    def test_a_thread_that_crashes_the_idle_worker_fails_the_plugin(self):
        self.start("import os, threading\n\n\ndef late():\n"
                   "    threading.Timer(0.1, os.abort).start()\n    return 1\n")
        self.assertEqual(self.host.run("p", "late").result, 1)
        health = self.host.wait_state("p", "FAILED")
        self.assertEqual(health["last_failure"]["error_type"], "PluginCrashed")
        self.assertIn("stage=idle", health["reason"])

    def test_what_a_thread_raises_in_the_main_one_between_two_calls_costs_no_call(self):
        self.start("""
import ctypes
import sys
import threading
import time

MAIN = threading.main_thread()


def waits():
    frame, names = sys._current_frames()[MAIN.ident], []
    while frame:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return "serve" in names and not any("answer" in n or n.startswith("on_") for n in names)


def late():
    def run():
        while not waits():
            time.sleep(0.001)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(MAIN.ident),
                                                   ctypes.py_object(RuntimeError))
        print("set", flush=True)
    threading.Thread(target=run).start()
    return 1
""" + WELL)
        for x in range(3):
            self.assertEqual(self.host.run("p", "late").result, 1)
            deadline = time.monotonic() + PATIENCE
            while self.log().count("set") <= x:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            self.assertEqual(self.host.run("p", "well", {"x": x}).result, {"x": x})
        self.assertIn("RuntimeError", self.log())

    def test_a_thread_without_end_does_not_hold_up_the_end(self):
        self.start("import threading, time\n\n\ndef late():\n"
                   "    threading.Thread(target=time.sleep, args=(1000,)).start()\n    return 1\n")
        self.assertEqual(self.host.run("p", "late").result, 1)
        self.assertEqual(self.host.stop(patience=12 * SLOW), 0)


class Imports(PythonCase):
    def test_a_plugin_cannot_replace_what_speaks_for_it(self):
        """Files of its own named like the runtime's or the standard library's harm only itself."""
        self.start(WELL, files=[(name, "raise ValueError('imported the wrong one')\n") for name in (
            "forgesyte_worker.py", "forgesyte.py", "wire.py", "channel.py", "serve.py", "socket.py",
            "base64.py", "asyncio.py")])
        self.assertEqual(self.host.run("p", "well").result, {"x": 1})

    def test_a_changed_standard_library_harms_only_itself(self):
        self.start("import builtins, json, os, socket, sys, time\n\n\ndef odd():\n"
                   "    json.dumps = json.loads = None\n    time.sleep = None\n"
                   "    sys.path[:] = []\n    os.chdir('/tmp')\n    builtins.len = None\n"
                   "    return 1\n", limits={"timeout_seconds": TIMEOUT})
        self.assertIn(self.host.run("p", "odd").status, (200, 502, 504))
        self.assertEqual(self.host.run("well", "echo", {"a": 1}).result, {"a": 1})

    def test_warnings_as_errors_and_a_recursion_limit_of_the_plugin_are_no_matter(self):
        self.start("import sys, warnings\nwarnings.simplefilter('error')\n"
                   "sys.setrecursionlimit(120)\n" + WELL)
        self.assertEqual(self.host.run("p", "well").result, {"x": 1})


if __name__ == "__main__":
    unittest.main()
