"""test_plugin_health.py -- GET /v1/plugins/{name}/health: 200 or 404, never 500, and every field true."""
import datetime
import json
import unittest

from host import HostCase

FIELDS = {"name", "state", "reason", "version", "uptime_seconds", "last_used", "success_count",
          "error_count", "description", "last_execution_time_ms", "avg_execution_time_ms",
          "generation", "in_flight", "queue_depth", "instances", "prefork", "limits", "isolation",
          "last_failure"}


def parsed(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Health(HostCase):
    def test_an_idle_plugin_has_every_field(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        health = host.health("p")
        self.assertEqual(set(health), FIELDS)
        self.assertEqual((health["name"], health["state"], health["reason"], health["version"]),
                         ("p", "INITIALIZED", None, "1.0.0"))
        self.assertEqual((health["success_count"], health["error_count"], health["generation"],
                          health["in_flight"], health["queue_depth"]), (0, 0, 1, 0, 0))
        for unknown in ("prefork", "last_used", "last_execution_time_ms", "avg_execution_time_ms",
                        "last_failure"):
            self.assertIsNone(health[unknown], unknown)
        self.assertIn("Misbehaves", health["description"])
        self.assertEqual(health["limits"], {"timeout_seconds": 2, "memory_bytes": 256 << 20})
        self.assertLess(0, health["uptime_seconds"])
        instance, = health["instances"]
        self.assertEqual(set(instance), {"pid", "rss_bytes", "peak_rss_bytes", "calls"})
        self.assertIn(instance["pid"], host.children())
        self.assertLess(100_000, instance["rss_bytes"])

    def test_counters_and_times_follow_the_calls(self):
        self.plugin("p", like="crashtest", on_error="keep")
        host = self.serve()
        before = datetime.datetime.now(datetime.timezone.utc)
        host.run("p", "sleep", {"ms": 300})
        host.run("p", "echo")
        host.run("p", "error")
        host.run("p", "fail")
        health = host.health("p")
        self.assertEqual((health["success_count"], health["error_count"]), (2, 2))
        self.assertLess(abs((parsed(health["last_used"]) - before).total_seconds()), 10)
        self.assertTrue(health["last_used"].endswith("Z"))
        self.assertLess(health["last_execution_time_ms"], health["avg_execution_time_ms"])
        self.assertEqual(health["instances"][0]["calls"], 4)

    def test_a_failed_plugin_tells_its_last_failure(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        answer = host.run("p", "segfault")
        health = host.health("p")
        failure = health["last_failure"]
        self.assertEqual(set(failure), {"at", "error_type", "error", "signal", "peak_rss_bytes",
                                        "stderr_tail"})
        self.assertEqual((failure["error_type"], failure["signal"]), ("PluginCrashed", 11))
        self.assertGreater(failure["peak_rss_bytes"], 100_000)
        self.assertEqual((health["reason"], failure["error"]), (answer.error, answer.error))
        parsed(failure["at"])

    def test_the_short_route_is_the_same(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        long, short = host.health("p"), host.get("/v1/plugins/p")
        self.assertEqual(short.status, 200)
        for changing in ("uptime_seconds", "instances"):
            long.pop(changing), short.json.pop(changing)
        self.assertEqual(short.json, long)

    def test_an_unknown_plugin_is_404_and_names_those_there_are(self):
        self.plugin("ocr-like", like="crashtest")
        host = self.serve()
        for path in ("/v1/plugins/nobody/health", "/v1/plugins/nobody",
                     "/v1/plugins/nobody/manifest", "/v1/plugins/nobody/logs"):
            self.assert_error(host.get(path), 404, "PluginNotFound", "ocr-like")

    def test_health_answers_200_in_every_state(self):
        self.plugin("failed", like="stages", env={"STAGE": "init", "HOW": "crash"})
        self.plugin("unavailable", like="stages", models={"m": "missing.bin"})
        self.plugin("nonsense", like="stages", manifest_text="nonsense")
        self.plugin("loading", like="stages",
                    env={"STAGE": "init", "HOW": "slow", "SLOW_MS": "30000"})
        self.plugin("running", like="crashtest")
        host = self.serve(wait=False)
        host.wait_loaded("failed", "unavailable", "nonsense", "running")
        call = host.begin("running", "hang")
        host.wait_state("running", "RUNNING")
        for name in ("failed", "unavailable", "nonsense", "loading", "running"):
            answer = host.get(f"/v1/plugins/{name}/health")
            self.assertEqual(answer.status, 200)
            self.assertLess(answer.ms, 1000)
            self.assertEqual(set(answer.json), FIELDS)
        self.assertEqual(call.join().status, 504)

    def test_an_idle_worker_that_dies_fails_the_plugin(self):
        import os
        import signal
        self.plugin("p", like="crashtest")
        host = self.serve()
        os.kill(host.health("p")["instances"][0]["pid"], signal.SIGKILL)
        health = host.wait_state("p", "FAILED")
        self.assertIn("signal 9", health["reason"])
        self.assert_error(host.run("p", "echo"), 503, "PluginUnavailable")

    def test_counters_are_right_under_many_clients(self):
        self.plugin("p", like="crashtest", limits={"instances": 3, "queue": 500,
                                                   "timeout_seconds": 60})
        host = self.serve()
        calls = [host.begin("p", "error" if i % 4 == 0 else "echo", {}) for i in range(200)]
        statuses = [call.join().status for call in calls]
        self.assertEqual((statuses.count(200), statuses.count(422)), (150, 50))
        health = host.health("p")
        self.assertEqual((health["success_count"], health["error_count"], health["in_flight"],
                          health["queue_depth"]), (150, 50, 0, 0))
        self.assertEqual(sum(i["calls"] for i in health["instances"]), 200)
        self.assertEqual(len(health["instances"]), 3)


class Probes(HostCase):
    def test_alive_ready_and_summary(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        for path in ("/livez", "/readyz", "/healthz", "/v1/health"):
            answer = host.get(path)
            self.assertEqual(answer.status, 200, answer)
            self.assertIsNotNone(answer.json, path)

    def test_a_failed_plugin_does_not_make_the_host_unready(self):
        self.plugin("p", like="stages", env={"STAGE": "init", "HOW": "crash"})
        host = self.serve()
        self.assertEqual(host.get("/readyz").status, 200)
        self.assertEqual(host.get("/livez").status, 200)

    def test_the_manifest_is_shown_as_loaded(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        answer = host.get("/v1/plugins/p/manifest")
        self.assertEqual(answer.status, 200)
        tools = {tool["name"]: tool for tool in answer.json["tools"]}
        self.assertIn("input_schema", tools["echo"])
        self.assertEqual(answer.json["limits"]["timeout_seconds"], 2)

    def test_tools_that_only_the_plugin_declares_are_shown_too(self):
        self.plugin("p", like="crashtest", manifest_text=json.dumps(
            {"name": "p", "version": "1", "entrypoint": "crashtest.so"}))
        answer = self.serve().get("/v1/plugins/p/manifest")
        self.assertIn({"name": "echo", "description": None, "input_schema": None,
                       "output_schema": None},
                      [{**tool, "description": tool["description"] or None}
                       for tool in answer.json["tools"]])


if __name__ == "__main__":
    unittest.main()
