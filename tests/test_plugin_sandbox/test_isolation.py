"""test_isolation.py -- the box in the situations there are: what is said to hold, and that it holds."""
import os
import socket
import unittest

from host import HostCase, need_nobody, need_root

LEVELS = ("none", "filtered", "namespaces", "full")


class Isolation(HostCase):
    def start(self, *args, **options):
        self.plugin("p", like="answers")
        self.plugin("q", like="crashtest")
        self.host = self.serve(*args, **options)
        return self.host.health("p")["isolation"]

    def check_fields(self, isolation):
        self.assertEqual(set(isolation), {"level", "reasons", "namespaces", "seccomp",
                                          "landlock_abi", "memory", "pids", "uid"})
        self.assertIn(isolation["level"], LEVELS)
        if isolation["level"] != "full":
            self.assertTrue(isolation["reasons"], "a weaker level has a reason")

    def check_walls(self, isolation):
        """What every level from `filtered` up keeps."""
        host = self.host
        self.assertTrue(isolation["seccomp"])
        self.assertEqual(host.run("p", "descriptors").result["open"], "0 1 2 3")
        self.assertEqual(host.run("p", "who").result["secret"], "", "the host's environment")
        self.assertIn("error", host.run("p", "open", {"path": "/etc/shadow"}).result)
        self.assertIn("error", host.run("p", "open",
                                        {"path": f"/proc/{host.pid}/mem"}).result)
        self.assertIn("error", host.run("p", "open",
                                        {"path": "/usr/bin/x", "write": True}).result)
        with socket.create_server(("127.0.0.1", 0)) as sink:
            port = sink.getsockname()[1]
            self.assertIn("error", host.run("p", "connect", {"port": port}).result)
            self.assertIn("error", host.run("p", "connect", {"port": host.port}).result)
        self.assert_error(host.run("q", "abort"), 502, "PluginCrashed", "signal 6")

    def check_namespaces(self, isolation):
        """What a box with namespaces keeps besides."""
        secret = os.path.join(self.folder, "secret")
        with open(secret, "w", encoding="ascii") as f:
            f.write("canary")
        os.chmod(secret, 0o644)
        host = self.host
        for namespace in ("pid", "mount", "ipc", "uts", "net"):
            self.assertIn(namespace, isolation["namespaces"])
        self.assertIn("error", host.run("p", "open", {"path": secret}).result)
        who = host.run("p", "who").result
        self.assertEqual(who["dir"], "/plugin")
        self.assertLess(who["pid"], 10)
        self.assertNotEqual(who["host"], socket.gethostname())
        self.assertIn("error", host.run("p", "open",
                                        {"path": "/plugin/new", "write": True}).result)
        self.assertEqual(host.run("p", "open", {"path": "/tmp/new", "write": True}).result,
                         {"opened": True})
        self.assertFalse(os.path.exists("/tmp/new"))

    @need_root
    def test_as_root_every_wall_stands(self):
        isolation = self.start(env={"SECRET": "canary"})
        self.check_fields(isolation)
        self.check_walls(isolation)
        self.check_namespaces(isolation)
        self.assertNotEqual(isolation["uid"], 0)
        self.assertEqual(self.host.run("p", "who").result["uid"], isolation["uid"])
        if isolation["memory"].startswith("cgroup"):
            self.assertEqual((isolation["level"], isolation["reasons"]), ("full", []))
            self.assertIs(isolation["pids"], True)

    @need_root
    def test_two_plugins_have_two_uids(self):
        self.start()
        self.assertNotEqual(self.host.health("p")["isolation"]["uid"],
                            self.host.health("q")["isolation"]["uid"])

    @need_nobody
    def test_an_ordinary_user_has_namespaces(self):
        isolation = self.start(as_nobody=True, env={"SECRET": "canary"})
        self.check_fields(isolation)
        if "user" not in isolation["namespaces"]:
            self.skipTest(f"no user namespaces here: {isolation['reasons']}")
        self.assertEqual(isolation["level"], "namespaces")
        self.check_walls(isolation)
        self.check_namespaces(isolation)

    @need_nobody
    def test_without_user_namespaces_the_filters_hold(self):
        isolation = self.start(as_nobody=True,
                               env={"SECRET": "canary", "FORGESYTE_FAKE_MISSING": "userns"})
        self.check_fields(isolation)
        self.assertEqual((isolation["level"], isolation["namespaces"]), ("filtered", []))
        self.check_walls(isolation)
        self.assertTrue(any("user" in reason for reason in isolation["reasons"]))

    @need_nobody
    def test_below_the_least_isolation_a_plugin_is_refused_not_run_weaker(self):
        self.plugin("p", like="crashtest")
        host = self.serve("--min-isolation", "namespaces", as_nobody=True,
                          env={"FORGESYTE_FAKE_MISSING": "userns"})
        health = host.health("p")
        self.assertEqual(health["state"], "UNAVAILABLE", health)
        answer = host.run("p", "echo")
        self.assertEqual(answer.status, 503)
        self.assertIn(answer.error_type, ("IsolationUnavailable", "PluginUnavailable"))
        self.assertEqual(health["instances"], [])
        self.assertEqual(host.get("/livez").status, 200)

    def test_without_landlock_the_reason_says_so(self):
        isolation = self.start(env={"FORGESYTE_FAKE_MISSING": "landlock"})
        self.assertEqual(isolation["landlock_abi"], 0)
        self.check_fields(isolation)

    def test_without_seccomp_and_namespaces_nothing_runs_by_default(self):
        self.plugin("p", like="crashtest")
        host = self.serve(env={"FORGESYTE_FAKE_MISSING":
                               "seccomp,landlock,userns,pidns,mountns,netns,cgroup,root"})
        health = host.health("p")
        self.assertEqual(health["state"], "UNAVAILABLE", health)

    def test_the_32_bit_door_is_shut(self):
        self.start()
        answer = self.host.run("p", "int80")
        self.assert_error(answer, 502, "SandboxViolation", "SIGSYS")
        self.assertEqual(self.host.health("p")["last_failure"]["signal"], 31)


if __name__ == "__main__":
    unittest.main()
