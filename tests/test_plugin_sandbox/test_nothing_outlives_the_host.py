"""test_nothing_outlives_the_host.py -- kill -9, SIGTERM, SIGINT: no process, no cgroup is left."""
import glob
import json
import signal
import unittest

from host import SLOW, HostCase, need_nobody


class End(HostCase):
    def busy_host(self, **options):
        """A host whose plugins idle, run, spin and have children."""
        self.plugin("idle", like="crashtest", limits={"instances": 3})
        self.plugin("busy", like="crashtest", limits={"timeout_seconds": 60})
        self.plugin("bomb", like="crashtest", limits={"timeout_seconds": 60})
        host = self.serve(checked=False, **options)
        calls = [host.begin("busy", "spin")]
        host.wait_health("busy", lambda h: h["in_flight"] == 1)
        if host.health("bomb")["isolation"]["namespaces"]:  # without, a box may not fork at all
            calls.append(host.begin("bomb", "fork_bomb", {"depth": 3}))
            host.wait_health("bomb", lambda h: h["in_flight"] == 1)
        self.assertGreaterEqual(len(host.children()), 5)
        return host, calls

    def check_gone(self, host):
        self.assertEqual(host.leftovers(), {})

    def test_kill_9_of_the_host_ends_every_worker(self):
        host, _ = self.busy_host()
        self.assertEqual(host.stop(signal.SIGKILL), -signal.SIGKILL)
        self.check_gone(host)

    @need_nobody
    def test_kill_9_of_an_ordinary_users_host_ends_every_worker(self):
        host, _ = self.busy_host(as_nobody=True)
        self.assertEqual(host.stop(signal.SIGKILL), -signal.SIGKILL)
        self.check_gone(host)

    @need_nobody
    def test_kill_9_without_user_namespaces_ends_every_worker(self):
        host, _ = self.busy_host(as_nobody=True, env={"FORGESYTE_FAKE_MISSING": "userns"})
        self.assertEqual(host.stop(signal.SIGKILL), -signal.SIGKILL)
        self.check_gone(host)

    def test_the_next_host_sweeps_what_a_killed_one_left(self):
        self.plugin("p", like="crashtest")
        host = self.serve(checked=False)
        host.stop(signal.SIGKILL)
        self.check_gone(host)
        self.serve()
        self.assertEqual(host.cgroups(), [])

    def test_what_it_could_not_sweep_yet_it_sweeps_at_its_end(self):
        self.plugin("p", like="crashtest")
        killed, other = self.serve(checked=False), self.serve()
        killed.stop(signal.SIGKILL)
        self.check_gone(killed)
        self.assertEqual(other.stop(), 0)
        self.assertEqual(killed.cgroups(), [])

    def test_sigterm_with_hung_calls_ends_within_its_grace(self):
        host, calls = self.busy_host()
        self.assertEqual(host.stop(patience=10 + 5 * SLOW), 0)
        self.check_gone(host)
        for call in calls:
            self.assertIn(call.join().status, (499, 503, 504))

    def test_sigint_ends_it_like_sigterm(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        self.assertEqual(host.stop(signal.SIGINT), 0)

    def test_no_core_file_and_no_scratch_is_left(self):
        self.plugin("p", like="crashtest")
        before = set(glob.glob("/tmp/forgesyte[-.]*")) | set(glob.glob("core*"))
        host = self.serve()
        host.run("p", "segfault")
        host.stop()
        after = set(glob.glob("/tmp/forgesyte[-.]*")) | set(glob.glob("core*"))
        self.assertEqual({name for name in after - before if "forgesyte-test-" not in name}, set())


class Drain(HostCase):
    def test_sigterm_lets_calls_in_flight_end(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        call = host.begin("p", "sleep", {"ms": 1500})
        host.wait_health("p", lambda h: h["in_flight"] == 1)
        connection = host.connect()  # one that is there already
        connection.request("GET", "/livez")
        connection.getresponse().read()
        host.process.send_signal(signal.SIGTERM)
        host.wait_line("(?i)drain|stopping|ending|SIGTERM")
        connection.request("POST", "/v1/plugins/p/tools/echo/run", "{}",
                           {"Content-Type": "application/json"})
        self.assertEqual(connection.getresponse().status, 503, "a new call while draining")
        self.assertEqual(call.join().result, {"slept_ms": 1500})
        self.assertEqual(host.process.wait(20), 0)

    def test_sigterm_lets_answers_be_read_to_their_end(self):
        self.plugin("p", like="crashtest", limits={"timeout_seconds": 20})
        host = self.serve()
        connection, text = host.connect(), "x" * (20 << 20)
        connection.request("POST", "/v1/plugins/p/tools/echo/run", json.dumps({"text": text}),
                           {"Content-Type": "application/json"})
        response = connection.getresponse()  # its head; the kernel does not hold the rest
        host.process.send_signal(signal.SIGTERM)
        host.wait_line("(?i)drain")
        self.assertEqual(json.loads(response.read())["result"], {"text": text})
        self.assertEqual(host.process.wait(20), 0)


if __name__ == "__main__":
    unittest.main()
