"""test_python_prefork.py -- "prefork": true: a plugin is imported once, its instances are forked, and
each lives and dies by itself; where that cannot be, the reason is told and it works as ever."""
import os
import re
import shutil
import signal
import subprocess
import unittest

from host import SLOW, command_line, gone_within, need_nobody, processes_below
from python_case import TIMEOUT, PythonCase

SLEEPER = "sleep 86399"

TOOLS = """
import ctypes
import os
import random
import signal
import subprocess
import sys
import time

{at_import}
print("imported")
PID = os.getpid()


class Plugin:
    name = "p"

    def __init__(self):
        print("made", os.getpid())

    def on_load(self):
        print("on_load", os.getpid())

    def validate(self):
        print("validated", os.getpid())

    @property
    def tools(self):
        return {{name: getattr(self, name) for name in dir(type(self))
                if name[0] != "_" and name not in ("name", "tools", "on_load", "validate")}}

    def meet(self, n: int, at: str = "m"):
        # The instances share /tmp: a call returns when n of them are running.
        open(f"/tmp/{{at}}-{{os.getpid()}}", "w").close()
        while len([f for f in os.listdir("/tmp") if f.startswith(at + "-")]) < n:
            time.sleep(0.01)
        return {{"pid": os.getpid(), "parent": os.getppid(), "imported_in": PID,
                "random": random.random(), "fds": sorted(map(int, os.listdir("/proc/self/fd"))),
                "sigchld": repr(signal.getsignal(signal.SIGCHLD))}}

    def well(self):
        return os.getpid()

    def nap(self, seconds: float):
        try:
            print("napping")
            time.sleep(seconds)
        finally:
            print("napped")
        return PID, os.getpid()

    def hold(self, until: str):
        open(f"/tmp/held-{{until}}", "w").close()
        while not os.path.exists(f"/tmp/{{until}}"):
            time.sleep(0.01)
        return os.getpid()

    def release(self, name: str):
        while not os.path.exists(f"/tmp/held-{{name}}"):
            time.sleep(0.01)
        open(f"/tmp/{{name}}", "w").close()
        return 1

    def segfault(self):
        ctypes.string_at(0)

    def exit(self):
        os._exit(3)

    def spin(self):
        while True:
            pass

    def hog(self):
        kept = []
        while True:
            kept.append(bytearray(os.urandom(1 << 20)))

    def hog_in_a_child(self):
        subprocess.run([sys.executable, "-c", "k = [bytearray(b'x' * (1 << 26)) for _ in range(99)]"])
        time.sleep(1000)

    def spawn(self, then: str):
        for _ in range(4):
            subprocess.Popen(["sleep", "86399"], start_new_session=True)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execvp("sleep", ["sleep", "86399"])
            os._exit(0)
        getattr(self, then)()

    def bomb(self):
        while True:
            try:
                if os.fork() == 0:
                    time.sleep(1000)
            except OSError:
                time.sleep(0.01)

    def kill_template(self):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(1000)
{more}
"""


class PreforkCase(PythonCase):
    INSTANCES = 2

    def prefork(self, *args, at_import="", more="", files=(), env=None, as_nobody=False, **manifest):
        """The health of `p` once it is INITIALIZED with all its instances."""
        limits = {"instances": self.INSTANCES, **manifest.pop("limits", {})}
        manifest = {"prefork": True, "on_error": "keep", "limits": limits, **manifest}
        self.python_plugin(TOOLS.format(at_import=at_import, more=more), files=files, **manifest)
        self.host = self.serve(*args, env=env, as_nobody=as_nobody)
        return self.host.wait_health("p", lambda h: h["state"] == "FAILED"
                                     or len(h["instances"]) == limits["instances"])

    def active(self, *args, **more):
        health = self.prefork(*args, **more)
        self.assertEqual((health["state"], health["prefork"]), ("INITIALIZED", "active"), health)
        return health

    def refused(self, *words, **more):
        """It is refused for this reason, and works as without."""
        health = self.prefork(**more)
        self.assertEqual(health["state"], "INITIALIZED", health["reason"])
        self.assertTrue(health["prefork"].startswith("refused: "), health["prefork"])
        for word in words:
            self.assertIn(word, health["prefork"])
            self.host.wait_line("warning.*prefork is refused.*" + re.escape(word))
        self.assertEqual(self.host.stderr().count("prefork is refused"), 1)
        self.assertEqual(self.host.run("p", "well").status, 200)
        health = self.host.health("p")
        self.assertEqual(len(health["instances"]), self.INSTANCES)
        return health

    def meet(self, n, at="m"):
        """What n calls in n instances at the same time say."""
        calls = [self.host.begin("p", "meet", {"n": n, "at": at}) for _ in range(n)]
        return [call.join().result for call in calls]

    def count(self, line):
        return [text for text in self.log().split("\n") if text.split(" ")[0] == line]

    def sleepers(self):
        return [pid for pid in processes_below(self.host.pid) if command_line(pid) == SLEEPER]

    def boxes(self):
        """How many cgroups of boxes the host has, of the hierarchy with the most."""
        counts = [len([d for d in os.listdir(folder) if os.path.isdir(os.path.join(folder, d))])
                  for folder in self.host.cgroups()]
        return max(counts, default=0)


class Copies(PreforkCase):
    INSTANCES = 4

    def test_four_instances_cost_one_import(self):
        health = self.active()
        said = self.meet(4)
        self.assertEqual(len({s["pid"] for s in said}), 4)
        self.assertEqual({s["parent"] for s in said}, {s["imported_in"] for s in said})
        self.assertEqual(len(self.count("imported")), 1)
        for once in ("made", "on_load", "validated"):
            self.assertEqual(len(set(self.count(once))), 4, self.log())
            self.assertEqual(len(self.count(once)), 4)
        self.assertEqual(len({i["pid"] for i in health["instances"]}), 4)
        self.assertEqual(len({s["random"] for s in said}), 4, "random is seeded anew")
        self.assertEqual(self.boxes(), 5, "the template's and each instance's")

    def test_each_is_shown_with_its_own_memory(self):
        self.active(more="""
    def grow(self, mb: int):
        self.kept = bytearray(b"x" * (mb << 20))
        return 1
""")
        self.meet(4)
        self.host.run("p", "grow", {"mb": 64})
        grown = self.host.wait_health("p", lambda h: any(
            (i["rss_bytes"] or 0) > 60 << 20 for i in h["instances"]))["instances"]
        self.assertEqual(len([i for i in grown if i["peak_rss_bytes"] > 60 << 20]), 1, grown)
        self.assertEqual(sum(i["calls"] for i in grown), 5)
        for i in grown:
            self.assertIn("python", command_line(i["pid"]))

    def test_a_copy_has_the_four_descriptors_of_a_box(self):
        self.active()
        for said in self.meet(4):
            self.assertEqual(set(said["fds"]) - {0, 1, 2, 3}, {4}, "the listing itself")

    def test_a_file_that_is_read_at_import_is_read_by_each_from_its_own_place(self):
        self.active(at_import="FILE = open(__file__, 'rb', buffering=0)\nFILE.read(2)", more="""
    def read(self, n: int, at: str):
        self.meet(n, at)
        return FILE.read(20).decode()
""")
        calls = [self.host.begin("p", "read", {"n": 4, "at": "r"}) for _ in range(4)]
        texts = [call.join().result for call in calls]
        with open(os.path.join(self.plugins, "p", "plugin.py"), encoding="utf-8") as f:
            self.assertEqual(texts, [f.read()[2:22]] * 4)

    def test_a_tool_that_is_left_by_its_client_is_interrupted_in_a_copy_too(self):
        self.active()
        connection = self.host.connect()
        connection.request("POST", "/v1/plugins/p/tools/nap/run", '{"seconds": 1000}',
                           {"Content-Type": "application/json"})
        self.host.wait_health("p", lambda h: self.count("napping"))
        before = {i["pid"] for i in self.host.health("p")["instances"]}
        connection.close()
        health = self.host.wait_health("p", lambda h: self.count("napped"))
        self.assertEqual(({i["pid"] for i in health["instances"]}, health["error_count"]),
                         (before, 0))

    def test_a_numpy_generator_differs_from_copy_to_copy(self):
        if subprocess.run(["/usr/bin/python3", "-c", "import numpy"], check=False,
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest("this machine has no numpy")
        self.active(at_import="import numpy", more="""
    def draw(self, n: int):
        self.meet(n, "draw")
        return float(numpy.random.random())
""")
        calls = [self.host.begin("p", "draw", {"n": 4}) for _ in range(4)]
        self.assertEqual(len({call.join().result for call in calls}), 4)

    def test_one_instance_alone_is_forked_as_well(self):
        self.active(limits={"instances": 1})
        self.host.run("p", "exit")
        self.host.wait_health("p", lambda h: len(h["instances"]) == 1)
        self.assertEqual(len(self.meet(1, "again")), 1)
        self.assertEqual(len(self.count("imported")), 1)


class Deaths(PreforkCase):
    """Each ends one instance: the others go on, also with the calls that they are running."""

    def check(self, tool, error_type, *words, args=None, **manifest):
        before = {i["pid"] for i in self.active(**manifest)["instances"]}
        ending = None
        if error_type == "TimeoutError":  # the other call has the same time, and begins later
            ending = self.host.begin("p", tool, args or {})
            self.host.wait_health("p", lambda h: h["in_flight"] == 1)
            self.host.run("p", "nap", {"seconds": 2 * TIMEOUT})
        held = self.host.begin("p", "hold", {"until": "end"})
        self.host.wait_health("p", lambda h: h["in_flight"] == (2 if ending else 1))
        answer = ending.join() if ending else self.host.run("p", tool, args or {})
        self.assertEqual(answer.error_type, error_type, answer)
        for word in words:
            self.assertIn(word, answer.error)
        self.assertFalse(held.answer)
        self.host.run("p", "release", {"name": "end"})
        self.assertEqual(held.join().status, 200)
        self.host.wait_health("p", lambda h: len(h["instances"]) == 2)
        self.meet(2, "after")
        after = self.host.health("p")
        self.assertEqual(len(before & {i["pid"] for i in after["instances"]}), 1)
        self.assertEqual((after["state"], after["prefork"]), ("INITIALIZED", "active"))
        self.assertEqual(after["error_count"], 1)
        self.assertEqual(len(self.count("imported")), 1)
        self.assertEqual(len(self.count("made")), 3)
        for pid in self.sleepers():
            self.assertTrue(gone_within(pid, 5 * SLOW), "what it had started has ended with it")
        self.assertEqual(self.boxes(), 3)
        return after

    def test_a_segfault(self):
        health = self.check("segfault", "PluginCrashed", "signal 11 (SIGSEGV)", "stage=call",
                            "in segfault")
        self.assertEqual(health["last_failure"]["signal"], 11)
        self.assertIn("in segfault", health["last_failure"]["stderr_tail"])

    def test_an_exit(self):
        self.check("exit", "PluginCrashed", "exited 3 without reply")

    def test_an_endless_loop(self):
        self.check("spin", "TimeoutError", limits={"timeout_seconds": 4 * TIMEOUT})

    def test_memory_without_end(self):
        self.check("hog", "MemoryLimitExceeded", limits={"memory_mb": 128})

    def test_memory_without_end_in_a_child(self):
        self.check("hog_in_a_child", "MemoryLimitExceeded", limits={"memory_mb": 128})

    def test_a_crash_that_leaves_daemons(self):
        self.check("spawn", "PluginCrashed", args={"then": "segfault"})

    def test_a_timeout_that_leaves_daemons(self):
        self.check("spawn", "TimeoutError", args={"then": "spin"},
                   limits={"timeout_seconds": 4 * TIMEOUT})

    def test_a_fork_bomb(self):
        self.check("bomb", "TimeoutError", limits={"timeout_seconds": 4 * TIMEOUT})
        left = [pid for pid in processes_below(self.host.pid) if not gone_within(pid, 0)]
        self.assertLess(len(left), 10, "the bomb's processes have ended")

    def test_with_on_error_fail_the_plugin_fails_and_the_others_end_their_calls(self):
        self.active(on_error="fail")
        held = self.host.begin("p", "hold", {"until": "end"})
        self.host.wait_health("p", lambda h: h["in_flight"] == 1)
        self.assertEqual(self.host.run("p", "segfault").error_type, "PluginCrashed")
        self.assertEqual(self.host.state("p"), "FAILED")
        self.assertIsNone(held.answer)
        self.host.children()
        reload = self.host.post("/v1/plugins/p/reload")
        self.assertEqual((reload.json["state"], reload.json["generation"]), ("INITIALIZED", 2))
        held_pid = [pid for pid in self.host.known if not gone_within(pid, 0)]
        self.assertTrue(held_pid, "the old generation's call is still running")
        self.host.wait_health("p", lambda h: len(h["instances"]) == 3)
        # Another generation has another box, so it cannot release the call: its client leaves.
        self.assertIsNone(held.answer)


class TemplatesEnd(PreforkCase):
    def test_all_instances_end_with_it_and_it_is_one_failure(self):
        self.active(on_error="fail", limits={"instances": 3})
        held = [self.host.begin("p", "hold", {"until": f"e{n}"}) for n in range(2)]
        self.host.wait_health("p", lambda h: h["in_flight"] == 2)
        answer = self.host.run("p", "kill_template")
        for each in [answer, *(call.join() for call in held)]:
            self.assertEqual((each.status, each.error_type), (502, "PluginCrashed"), each)
            self.assertIn("signal 9 (SIGKILL) (stage=template)", each.error)
            self.assertIn("forked", each.error)
        health = self.host.health("p")
        self.assertEqual((health["state"], health["instances"]), ("FAILED", []))
        self.assertIn("stage=template", health["reason"])
        self.assertEqual(health["last_failure"]["signal"], 9)

    def test_with_keep_another_is_loaded_and_forks_them_all_again(self):
        self.active(limits={"instances": 3})
        self.assertEqual(self.host.run("p", "kill_template").error_type, "PluginCrashed")
        health = self.host.wait_health("p", lambda h: len(h["instances"]) == 3)
        self.meet(3)
        self.assertEqual((health["state"], health["prefork"]), ("INITIALIZED", "active"))
        self.assertEqual(len(self.count("imported")), 2)
        self.assertEqual(len(self.count("made")), 6)
        self.assertEqual(self.boxes(), 4)

    def test_with_restart_on_failure_the_next_generation_forks_too(self):
        self.active(on_error="fail", restart="on-failure")
        self.host.run("p", "kill_template")
        health = self.host.wait_health("p", lambda h: h["generation"] == 2
                                       and len(h["instances"]) == 2)
        self.assertEqual((health["state"], health["prefork"]), ("INITIALIZED", "active"))


class Generations(PreforkCase):
    def test_a_reload_imports_anew_and_leaves_the_old_call_to_end(self):
        self.active()
        slow = self.host.begin("p", "nap", {"seconds": 1.5})
        self.host.wait_health("p", lambda h: h["in_flight"] == 1)
        old = set(self.host.children())
        self.assertEqual(self.host.post("/v1/plugins/p/reload").json["generation"], 2)
        self.assertEqual(slow.join().status, 200)
        self.host.wait_health("p", lambda h: len(h["instances"]) == 2)
        self.meet(2)
        self.assertEqual(len(self.count("imported")), 2)
        for pid in old:
            self.assertTrue(gone_within(pid, 5 * SLOW), command_line(pid))
        self.assertEqual(self.boxes(), 3)

    def test_sigterm_lets_calls_end_and_kill_9_leaves_nothing(self):
        for how, status in ((signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)):
            self.python_plugin(TOOLS.format(at_import="", more=""), prefork=True,
                               limits={"instances": 3})
            host = self.host = self.serve(checked=how == signal.SIGTERM)
            host.wait_health("p", lambda h: len(h["instances"]) == 3)
            call = host.begin("p", "spawn", {"then": "spin"})
            host.wait_health("p", lambda h: h["in_flight"] == 1)
            while len(self.sleepers()) < 5:
                self.assertIsNone(call.answer)
            self.assertGreaterEqual(len(host.children()), 10)
            self.assertEqual(host.stop(how, patience=10 + 20 * SLOW), status)
            self.assertEqual(host.leftovers(), {})


class Loads(PreforkCase):
    def failed(self, error_type, *words, **more):
        health = self.prefork(**more)
        self.assertEqual((health["state"], health["last_failure"]["error_type"]),
                         ("FAILED", error_type), health)
        for word in words:
            self.assertIn(word, health["reason"])
        self.assertEqual(health["instances"], [])

    def test_an_import_that_fails(self):
        self.failed("ImportError", "RuntimeError: no", at_import="raise RuntimeError('no')")

    def test_a_constructor_that_fails(self):
        self.failed("InitError", "ValueError: bad", more="""
    def on_load(self):
        raise ValueError("bad")
""")

    def test_a_constructor_that_dies(self):
        self.failed("PluginCrashed", "exited 9", "stage=init", more="""
    def on_load(self):
        os._exit(9)
""")

    def test_a_constructor_that_hangs(self):
        self.failed("TimeoutError", "did not finish loading", limits={"load_timeout_seconds": TIMEOUT},
                    more="""
    def on_load(self):
        time.sleep(1000)
""")

    def test_a_fork_handler_that_hangs(self):
        self.failed("TimeoutError", "stage=template", limits={"load_timeout_seconds": TIMEOUT},
                    at_import="os.register_at_fork(before=lambda: time.sleep(1000))")

    def test_a_template_that_names_another_process(self):
        self.failed("ProtocolError", "the process that was forked is another", "stage=template",
                    at_import="""
FORK = os.fork
os.fork = lambda: (lambda pid: pid and pid + 1)(FORK())
os.pidfd_open = lambda pid: os.open("/dev/null", os.O_RDONLY)
""")

    def test_a_library_cannot_be_forked(self):
        self.plugin("n", like="crashtest", prefork=True)
        health = self.serve().health("n")
        self.assertEqual((health["state"], health["last_failure"]["error_type"]),
                         ("FAILED", "ManifestError"))
        self.assertIn("prefork: is for Python plugins", health["reason"])


class Refusals(PreforkCase):
    def test_a_thread(self):
        self.refused("it has started 1 thread when it was imported (reader)",
                     at_import="import threading\nthreading.Thread(target=time.sleep, args=(1000,),"
                               " name='reader', daemon=True).start()")
        self.host.wait_health("p", lambda h: len(self.count("made")) == 2)
        self.assertEqual(len(self.count("imported")), 2)

    def test_a_thread_that_is_put_away_before_a_fork_is_none(self):
        self.active(at_import="""import threading
END = threading.Event()
THREAD = threading.Thread(target=END.wait)
THREAD.start()


@lambda put_away: os.register_at_fork(before=put_away)
def put_away():
    END.set()
    THREAD.join()
""")
        self.meet(2)

    def test_a_process(self):
        self.refused("it has started 1 process when it was imported",
                     at_import="subprocess.Popen(['sleep', '86399'])")

    def test_a_process_that_a_fork_starts(self):
        self.refused("it starts processes when it is forked", at_import="""
def start():
    subprocess.Popen(["sleep", "86399"], start_new_session=True)
os.register_at_fork(after_in_parent=start)
""")
        for pid in self.sleepers():
            self.assertTrue(gone_within(pid, 5 * SLOW))

    def test_a_template_that_says_it_has_forked_and_has_not(self):
        self.refused("the process that was forked is gone", at_import="""
os.fork = lambda: 4711
os.pidfd_open = lambda pid: os.pipe()[0]
""")

    def test_words_about_the_end_of_others_end_nobody(self):
        self.active(at_import="""
import struct
def lie():
    sys.path.insert(0, os.path.dirname(os.path.dirname(sys.modules["forgesyte"].__file__)))
    from forgesyte_worker import prefork
    wait, reap, lies = prefork.Template.wait, prefork.Template.reap, []
    def wait_and_lie(self, sock):
        if lies or not self._children:
            lies.clear()
            return wait(self, sock)
        lies.extend(-pid for pid in [*self._children.values(), 1, 2, 4711])
        return lies.copy()
    def reap_or_lie(self, which):
        return reap(self, which) if which > 0 else prefork.End(-which, 1, 0, 0)
    prefork.Template.wait, prefork.Template.reap = wait_and_lie, reap_or_lie
lie()
""")
        self.meet(2)
        self.assertEqual(self.host.run("p", "exit").status, 502)
        self.host.wait_health("p", lambda h: len(h["instances"]) == 2)
        self.meet(2, "again")

    def test_a_socket(self):
        self.refused("holds socket:[", at_import="import socket\nPAIR = socket.socketpair()")

    def test_a_file_that_is_written(self):
        self.refused("holds /tmp/log open", at_import="LOG = open('/tmp/log', 'w')")

    def test_torch_that_has_the_gpu(self):
        self.refused("torch has taken the GPU", at_import="import torch", files=[
            ("torch.py", "class cuda:\n    is_initialized = staticmethod(lambda: True)\n")])

    def test_torch_that_has_not_is_forked(self):
        self.active(at_import="import torch", files=[
            ("torch.py", "class cuda:\n    is_initialized = staticmethod(lambda: False)\n")])

    def cuda(self, result):
        """A driver's library that answers so to cuDeviceGetCount."""
        folder = os.path.join(self.plugins, "p")
        os.makedirs(folder, exist_ok=True)
        source = os.path.join(self.folder, "cuda.c")
        with open(source, "w", encoding="utf-8") as f:
            f.write(f"int cuDeviceGetCount(int *n) {{ *n = 1; return {result}; }}\n")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", os.path.join(folder, "libcuda.so.1"), source],
                       check=True)
        return "CUDA = ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'libcuda.so.1'))"

    @unittest.skipUnless(shutil.which("cc"), "needs a C compiler")
    def test_cuda_that_is_initialized(self):
        self.refused("it has initialized CUDA", at_import=self.cuda(0))

    @unittest.skipUnless(shutil.which("cc"), "needs a C compiler")
    def test_cuda_that_is_only_mapped_is_forked(self):
        self.active(at_import=self.cuda(3))

    def test_a_child_handler_of_the_plugins_own_takes_no_news_away(self):
        self.active(at_import="signal.signal(signal.SIGCHLD, signal.SIG_IGN)")
        self.assertEqual({s["sigchld"] for s in self.meet(2)}, {repr(signal.SIG_IGN)})
        self.assertIn("exited 3 without reply", self.host.run("p", "exit").error)


class Boxes(PreforkCase):
    def test_without_cgroups_it_is_refused(self):
        self.refused("there is no cgroup", env={"FORGESYTE_FAKE_MISSING": "cgroup"})

    @need_nobody
    def test_an_ordinary_users_host_without_cgroups_refuses(self):
        health = self.refused("there is no cgroup", as_nobody=True)
        self.assertEqual(health["isolation"]["level"], "namespaces")

    @need_nobody
    def test_without_a_pid_namespace_it_is_refused(self):
        health = self.refused("no pid namespace", as_nobody=True,
                              env={"FORGESYTE_FAKE_MISSING": "userns"})
        self.assertEqual(health["isolation"]["level"], "filtered")

    def test_in_a_user_namespace_with_cgroups_it_forks(self):
        health = self.active(env={"FORGESYTE_FAKE_MISSING": "root"})
        self.assertEqual(health["isolation"]["level"], "namespaces")
        self.meet(2)
        self.assertEqual(self.host.run("p", "spawn", {"then": "segfault"}).error_type,
                         "PluginCrashed")
        for pid in self.sleepers():
            self.assertTrue(gone_within(pid, 5 * SLOW))


if __name__ == "__main__":
    unittest.main()
