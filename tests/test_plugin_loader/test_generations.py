"""test_generations.py -- loading in parallel, reload, and what outlives a generation."""
import time
import unittest

from host import SLOW, HostCase


class Loading(HostCase):
    def test_plugins_load_side_by_side_while_the_api_answers(self):
        for i in range(4):
            self.plugin(f"slow-{i}", like="stages",
                        env={"STAGE": "init", "HOW": "slow", "SLOW_MS": "1500"})
        self.plugin("quick", like="crashtest")
        start = time.monotonic()
        host = self.serve(wait=False)
        self.assertEqual(host.get("/livez").status, 200)
        self.assertEqual(host.wait_state("quick", "INITIALIZED")["state"], "INITIALIZED")
        self.assertEqual(host.run("quick", "echo", {"a": 1}).result, {"a": 1})
        for i in range(4):
            self.assertEqual(host.wait_state(f"slow-{i}", "LOADED")["reason"], None)
        verbose = host.get("/readyz?verbose")
        self.assertIn("slow-0", verbose.body.decode())
        for i in range(4):
            host.wait_state(f"slow-{i}", "INITIALIZED")
        self.assertLess(time.monotonic() - start, 4 * 1.5 * SLOW, "they loaded one after another")

    def test_a_call_to_a_plugin_that_is_loading_waits_for_it(self):
        self.plugin("slow", like="stages",
                    env={"STAGE": "init", "HOW": "slow", "SLOW_MS": "800"})
        host = self.serve(wait=False)
        host.wait_state("slow", "LOADED")
        self.assertEqual(host.run("slow", "ping").result, {"pong": "pong"})

    def test_the_wait_for_loading_counts_toward_the_deadline(self):
        self.plugin("slow", like="stages", limits={"timeout_seconds": 0.5},
                    env={"STAGE": "init", "HOW": "slow", "SLOW_MS": "3000"})
        host = self.serve(wait=False)
        host.wait_state("slow", "LOADED")
        answer = host.run("slow", "ping")
        self.assert_error(answer, 504, "TimeoutError")
        self.assertLess(answer.ms, 2000 * SLOW)
        self.assertEqual(host.wait_state("slow", "INITIALIZED", "FAILED")["state"], "INITIALIZED",
                         "a call that never reached the plugin does not fail it")

    def test_a_call_to_a_plugin_whose_loading_fails_is_told_so(self):
        self.plugin("broken", like="stages", limits={"load_timeout_seconds": 1},
                    env={"STAGE": "init", "HOW": "hang"})
        host = self.serve(wait=False)
        host.wait_state("broken", "LOADED")
        self.assert_error(host.run("broken", "ping"), 503, "PluginUnavailable")


class Reload(HostCase):
    def test_a_reload_is_a_new_generation_with_the_counters_kept(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        host.run("p", "echo")
        host.run("p", "echo")
        host.run("p", "error")
        before = host.health("p")
        answer = host.post("/v1/plugins/p/reload")
        self.assertEqual(answer.status, 200, answer)
        after = host.health("p")
        self.assertEqual(after["generation"], before["generation"] + 1)
        self.assertEqual(after["state"], "INITIALIZED")
        self.assertEqual((after["success_count"], after["error_count"]),
                         (before["success_count"], before["error_count"]))
        self.assertEqual(before["success_count"], 2)
        self.assertNotEqual(after["instances"][0]["pid"], before["instances"][0]["pid"])
        self.assertEqual(answer.json["generation"], after["generation"])

    def test_failed_is_left_by_reload_and_by_nothing_else(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        host.run("p", "segfault")
        self.assertEqual(host.wait_state("p", "FAILED")["instances"], [])
        for _ in range(3):
            self.assert_error(host.run("p", "echo"), 503, "PluginUnavailable", "SIGSEGV")
        self.assertEqual(host.state("p"), "FAILED")
        self.assertEqual(host.post("/v1/plugins/p/reload").json["state"], "INITIALIZED")
        self.assertEqual(host.run("p", "echo", {"a": 1}).result, {"a": 1})

    def test_a_reload_reads_the_manifest_anew(self):
        self.plugin("p", like="stages")
        host = self.serve()
        self.plugin("p", like="stages", version="2.0.0", env={"STAGE": "init", "HOW": "fail"})
        self.assertEqual(host.post("/v1/plugins/p/reload").json["state"], "FAILED")
        self.assertEqual(host.health("p")["version"], "2.0.0")
        self.plugin("p", like="stages", version="2.0.1", env=None)
        self.assertEqual(host.post("/v1/plugins/p/reload").json["state"], "INITIALIZED")
        self.assertEqual(host.health("p")["generation"], 3)

    def test_calls_in_flight_end_in_the_old_generation(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        call = host.begin("p", "sleep", {"ms": 1000})
        host.wait_health("p", lambda h: h["in_flight"] == 1)
        self.assertEqual(host.post("/v1/plugins/p/reload").json["generation"], 2)
        self.assertEqual(host.run("p", "echo", {"a": 1}).result, {"a": 1})
        self.assertEqual(call.join().result, {"slept_ms": 1000})
        health = host.health("p")
        self.assertEqual((health["state"], health["generation"]), ("INITIALIZED", 2))

    def test_a_crash_in_the_old_generation_does_not_fail_the_new(self):
        self.plugin("p", like="crashtest", limits={"timeout_seconds": 2})
        host = self.serve()
        call = host.begin("p", "hang")
        host.wait_health("p", lambda h: h["in_flight"] == 1)
        host.post("/v1/plugins/p/reload")
        self.assert_error(call.join(), 504, "TimeoutError")
        self.assertEqual(host.state("p"), "INITIALIZED")

    def test_reload_all_answers_every_health_object(self):
        self.plugin("a", like="crashtest")
        self.plugin("b", like="stages", env={"STAGE": "init", "HOW": "fail"})
        host = self.serve()
        answer = host.post("/v1/plugins/reload-all")
        self.assertEqual(answer.status, 200, answer)
        states = {p["name"]: (p["state"], p["generation"]) for p in answer.json["plugins"]}
        self.assertEqual(states, {"a": ("INITIALIZED", 2), "b": ("FAILED", 2)})

    def test_a_hundred_reloads_leave_nothing_behind(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        for _ in range(5):
            host.post("/v1/plugins/p/reload")
        host.children()
        descriptors, processes = host.descriptors(), len(host.children())
        for _ in range(95 if SLOW == 1 else 20):
            self.assertEqual(host.post("/v1/plugins/p/reload").json["state"], "INITIALIZED")
        # the question itself holds some: its connection, its event stream, one still closing
        host.wait_health("p", lambda _: len(host.children()) == processes and
                         host.descriptors() <= descriptors + 3)

    def test_a_reload_of_nothing_names_what_there_is(self):
        self.plugin("there", like="crashtest")
        host = self.serve()
        self.assert_error(host.post("/v1/plugins/gone/reload"), 404, "PluginNotFound", "there")


class Restart(HostCase):
    def test_restart_on_failure_comes_back_by_itself(self):
        self.plugin("p", like="crashtest", restart="on-failure")
        host = self.serve()
        self.assert_error(host.run("p", "abort"), 502, "PluginCrashed", "SIGABRT")
        health = host.wait_health("p", lambda h: h["generation"] == 2 and
                                  h["state"] == "INITIALIZED")
        self.assertEqual(health["error_count"], 1)
        self.assertEqual(host.run("p", "echo", {"a": 1}).result, {"a": 1})

    def test_restart_manual_does_not(self):
        self.plugin("p", like="crashtest")
        self.plugin("q", like="crashtest", restart="on-failure")
        host = self.serve()
        host.run("p", "abort")
        host.run("q", "abort")
        host.wait_health("q", lambda h: h["generation"] == 2 and h["state"] == "INITIALIZED")
        health = host.health("p")
        self.assertEqual((health["state"], health["generation"]), ("FAILED", 1))

    def test_the_back_off_doubles(self):
        self.plugin("p", like="stages", restart="on-failure", env={"STAGE": "init", "HOW": "fail"})
        host = self.serve(wait=False)
        at = []
        for generation in (1, 2, 3):
            host.wait_health("p", lambda h, g=generation: h["generation"] >= g and
                             h["state"] == "FAILED")
            at.append(time.monotonic())
        self.assertGreater(at[1] - at[0], 0.7)
        self.assertGreater(at[2] - at[1], 1.6)


class OnErrorKeep(HostCase):
    def test_keep_keeps_the_plugin_and_its_worker_after_an_exception(self):
        self.plugin("p", like="crashtest", on_error="keep")
        host = self.serve()
        pid = host.health("p")["instances"][0]["pid"]
        self.assertEqual(host.run("p", "fail").status, 502)
        health = host.health("p")
        self.assertEqual((health["state"], health["error_count"]), ("INITIALIZED", 1))
        self.assertEqual(health["instances"][0]["pid"], pid)
        self.assertEqual(host.run("p", "echo", {"a": 1}).result, {"a": 1})

    def test_keep_replaces_only_the_worker_after_a_crash(self):
        self.plugin("p", like="crashtest", on_error="keep")
        host = self.serve()
        pid = host.health("p")["instances"][0]["pid"]
        self.assert_error(host.run("p", "segfault"), 502, "PluginCrashed", "SIGSEGV")
        self.assertEqual(host.run("p", "echo", {"a": 1}).result, {"a": 1})
        health = host.health("p")
        self.assertEqual((health["state"], health["generation"]), ("INITIALIZED", 1))
        self.assertEqual((health["success_count"], health["error_count"]), (1, 1))
        self.assertNotEqual(health["instances"][0]["pid"], pid)

    def test_keep_replaces_the_worker_after_timeout_and_memory_kill(self):
        self.plugin("p", like="crashtest", on_error="keep", limits={"timeout_seconds": 1})
        host = self.serve()
        self.assert_error(host.run("p", "hang"), 504, "TimeoutError")
        self.assertEqual(host.wait_health("p", lambda h: h["instances"])["generation"], 1)

    def test_keep_gives_up_past_the_cap(self):
        self.plugin("p", like="crashtest", on_error="keep", limits={"timeout_seconds": 60})
        host = self.serve()
        for _ in range(8):
            if host.run("p", "segfault", timeout=120).status == 503:
                break
        self.assertEqual(host.wait_state("p", "FAILED", patience=60)["generation"], 1)


if __name__ == "__main__":
    unittest.main()
