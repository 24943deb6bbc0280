"""test_list_plugins.py -- GET /v1/plugins: everybody is on the list, in whatever state, always 200."""
import unittest

from host import HostCase


class ListPlugins(HostCase):
    def test_every_state_is_listed_and_counted(self):
        self.plugin("a-idle", like="crashtest")
        self.plugin("b-failed", like="stages", env={"STAGE": "init", "HOW": "fail"})
        self.plugin("c-unavailable", like="stages", models={"m": "missing.bin"})
        self.plugin("d-loading", like="stages",
                    env={"STAGE": "init", "HOW": "slow", "SLOW_MS": "30000"})
        self.plugin("e-running", like="crashtest", limits={"timeout_seconds": 60})
        self.plugin("f-no-manifest", like="stages", manifest_text="{")
        host = self.serve(wait=False)
        host.wait_loaded("a-idle", "b-failed", "c-unavailable", "e-running", "f-no-manifest")
        host.wait_state("d-loading", "LOADED")
        call = host.begin("e-running", "sleep", {"ms": 2000})
        host.wait_state("e-running", "RUNNING")
        answer = host.get("/v1/plugins")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["content-type"].split(";")[0], "application/json")
        states = {p["name"]: p["state"] for p in answer.json["plugins"]}
        self.assertEqual(states, {"a-idle": "INITIALIZED", "b-failed": "FAILED",
                                  "c-unavailable": "UNAVAILABLE", "d-loading": "LOADED",
                                  "e-running": "RUNNING", "f-no-manifest": "FAILED"})
        counts = {key: answer.json[key] for key in ("total", "available", "failed", "unavailable")}
        self.assertEqual(counts, {"total": 6, "available": 3, "failed": 2, "unavailable": 1})
        self.assertEqual(call.join().status, 200)
        self.assertEqual(host.state("e-running"), "INITIALIZED")

    def test_the_list_is_sorted_by_name(self):
        for name in ("zebra", "apple", "mango-2", "mango-10", "m"):
            self.plugin(name, like="crashtest")
        host = self.serve()
        names = [p["name"] for p in host.get("/v1/plugins").json["plugins"]]
        self.assertEqual(names, sorted(names))
        self.assertEqual(len(names), 5)

    def test_no_plugins_is_an_empty_list(self):
        host = self.serve()
        self.assertEqual(host.get("/v1/plugins").json,
                         {"plugins": [], "total": 0, "available": 0, "failed": 0,
                          "unavailable": 0})

    def test_an_entry_is_the_health_object(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        entry = host.get("/v1/plugins").json["plugins"][0]
        self.assertEqual(set(entry), set(host.health("p")))

    def test_several_folders_are_one_list(self):
        import os
        import shutil
        self.plugin("here", like="crashtest")
        other = os.path.join(self.folder, "more")
        os.mkdir(other)
        shutil.move(self.plugin("there", like="crashtest"), other)
        host = self.serve(plugins=[self.plugins, other])
        names = [p["name"] for p in host.get("/v1/plugins").json["plugins"]]
        self.assertEqual(names, ["here", "there"])


if __name__ == "__main__":
    unittest.main()
