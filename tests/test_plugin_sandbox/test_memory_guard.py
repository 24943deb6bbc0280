"""test_memory_guard.py -- the memory limit: enforced for the whole tree, told from a crash."""
import unittest

from host import SLOW, HostCase, need_nobody

TEXT = "Plugin exceeded 256MB memory limit. Reduce model size or increase limit."


class MemoryGuard(HostCase):
    def check_kill(self, host):
        answer = host.run("p", "allocate", {"mb": 1024})
        self.assert_error(answer, 502, "MemoryLimitExceeded")
        self.assertEqual(answer.error, TEXT)
        health = host.health("p")
        self.assertEqual((health["state"], health["reason"], health["error_count"]),
                         ("FAILED", TEXT, 1))
        self.assertEqual(health["last_failure"]["error_type"], "MemoryLimitExceeded")
        self.assertEqual(host.run("well", "echo", {"a": 1}).result, {"a": 1})

    def start(self, **options):
        self.plugin("p", like="crashtest", limits={"timeout_seconds": 20})
        self.plugin("well", like="crashtest")
        return self.serve(**options)

    def test_a_call_over_its_limit_is_ended_and_told_as_that(self):
        self.check_kill(self.start())

    def test_the_limit_holds_without_cgroups_too(self):
        host = self.start(env={"FORGESYTE_FAKE_MISSING": "cgroup,cgroup1,cgroup2"})
        self.assertEqual(host.health("p")["isolation"]["memory"], "rlimit")
        answer = host.run("p", "allocate", {"mb": 1024})
        # malloc may fail before the watch sees anything: then it is the plugin's own error
        self.assertIn((answer.status, answer.error_type),
                      [(502, "MemoryLimitExceeded"), (502, "PluginError")])
        self.assertEqual(host.state("p"), "FAILED")
        self.assertEqual(host.run("well", "echo", {"a": 1}).result, {"a": 1})

    @need_nobody
    def test_the_limit_holds_for_an_ordinary_users_host(self):
        host = self.start(as_nobody=True)
        answer = host.run("p", "allocate", {"mb": 1024})
        self.assertIn((answer.status, answer.error_type),
                      [(502, "MemoryLimitExceeded"), (502, "PluginError")])
        self.assertEqual(host.state("p"), "FAILED")

    def test_a_call_below_its_limit_goes_well(self):
        self.assertEqual(self.start().run("p", "allocate", {"mb": 100}).result, {"mb": 100})

    def test_a_kill_9_from_elsewhere_is_no_memory_kill(self):
        self.plugin("p", like="answers")
        host = self.serve()
        answer = host.run("p", "kill_self", {"signal": 9})
        self.assert_error(answer, 502, "PluginCrashed", "signal 9")
        self.assertEqual(host.health("p")["last_failure"]["signal"], 9)

    def test_the_host_does_not_grow_with_its_plugins(self):
        self.plugin("p", like="crashtest", limits={"timeout_seconds": 20, "memory_mb": 512})
        host = self.serve()
        host.run("p", "echo")
        before = host.rss_bytes()
        self.assertEqual(host.run("p", "allocate", {"mb": 300}).result, {"mb": 300})
        self.assertLess(host.rss_bytes() - before, (8 << 20) * SLOW)

    def test_the_smallest_unit_that_fits_is_named(self):
        self.plugin("p", like="crashtest", limits={"memory_mb": 1024, "timeout_seconds": 30})
        host = self.serve()
        self.assertEqual(host.run("p", "allocate", {"mb": 2048}).error,
                         TEXT.replace("256MB", "1GB"))


if __name__ == "__main__":
    unittest.main()
