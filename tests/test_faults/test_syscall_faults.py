"""What a host does when the kernel says no: it stays up, says what was wrong, and goes on.

Each test makes the first, the second, ... system call of a kind fail while the host loads a plugin
anew and runs it, until there are no more. After each fault the host must be alive, have answered, and
load and run the plugin as if nothing had been."""
import contextlib
import errno
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                "support"))
from faults import Faults  # noqa: E402
from host import HostCase  # noqa: E402

MOST = 60  # calls of one kind that one round makes at most
# What a fault in the host or in starting a box may be called; a plugin that did nothing wrong is not
# said to have broken the protocol or to have answered badly.
BLAMELESS = {"InternalError", "PluginUnavailable", "PluginCrashed", "ImportError", "InitError",
             "ValidationError", "IsolationUnavailable", "TimeoutError", "ManifestError",
             "ServerBusy"}


class SyscallFaults(HostCase):
    def setUp(self):
        super().setUp()
        self.faults = Faults(self.folder)
        self.addCleanup(self.faults.close)
        self.plugin("echo")
        self.host = self.serve(env=self.faults.env())
        self.assertEqual(self.host.run("echo", "echo", {"a": 1}).result, {"a": 1})

    def ask(self, doing, question):
        """The answer to question(). A client that could not be served at all asks once more."""
        try:
            return self.answered(question(), doing)
        except ConnectionError:
            self.assertIn("epoll_ctl", doing, "a connection was closed")
            return self.answered(question(), doing)

    def answered(self, answer, doing):
        """A result, or an error with a type and words."""
        self.assertIsNotNone(answer.json, f"{doing}: {answer!r}")
        if "ok" in answer.json and not answer.json["ok"]:
            self.assertTrue(answer.error, f"{doing}: {answer!r}")
            self.assertIn(answer.error_type, BLAMELESS, f"{doing}: {answer!r}")
        return answer

    def live(self, doing):
        answer = self.host.get("/livez")
        self.assertEqual((answer.status, answer.json), (200, {"status": "alive"}), doing)

    def state_is_true(self, doing):
        """Usable, or FAILED or UNAVAILABLE with a reason that says why."""
        health = self.ask(doing, lambda: self.host.get("/v1/plugins/echo/health")).json
        if health["state"] in ("FAILED", "UNAVAILABLE"):
            self.assertTrue(health["reason"], f"{doing}: {health}")
        else:
            self.assertIn(health["state"], ("LOADED", "INITIALIZED", "RUNNING"), doing)

    def recovers(self, doing):
        """A reload brings it back, whatever the fault left."""
        health = self.host.post("/v1/plugins/echo/reload")
        self.assertEqual((health.status, health.json.get("state")), (200, "INITIALIZED"),
                         f"{doing}: {health!r}\n{self.host.stderr()}")
        self.assertEqual(self.host.run("echo", "echo", {"b": doing}).result, {"b": doing})

    def round(self, doing):
        """Load it anew, call it, look at it: each is answered."""
        self.ask(doing, lambda: self.host.post("/v1/plugins/echo/reload"))
        self.ask(doing, lambda: self.host.run("echo", "echo", {"a": [1, 2]}))
        self.ask(doing, lambda: self.host.get("/livez"))
        self.state_is_true(doing)

    def fail_each(self, name, error, least=1):
        """The first, the second, ... fails, until a round has fewer."""
        for nth in range(1, MOST):
            doing = f"{name} number {nth} says {errno.errorcode[error]}"
            with self.subTest(doing):
                with self.faults.armed(name, error, nth):
                    self.round(doing)
                    failed = self.faults.failed(name)
                if not failed:
                    self.assertGreater(nth, least, f"{name} was made to fail at least so often")
                    return
                self.live(doing)
                self.recovers(doing)
        self.fail(f"{name} is called more than {MOST} times in one round")

    def test_no_process_can_be_made(self):
        self.fail_each("clone", errno.EAGAIN)

    def test_no_socket_pair_can_be_made(self):
        self.fail_each("socketpair", errno.EMFILE)

    def test_no_pipe_can_be_made(self):
        self.fail_each("pipe2", errno.EMFILE)

    def test_a_descriptor_cannot_be_watched(self):
        self.fail_each("epoll_ctl", errno.ENOMEM, least=3)

    def test_no_file_can_be_opened(self):
        self.fail_each("openat", errno.EMFILE, least=3)

    def test_no_file_in_memory_can_be_made(self):
        self.fail_each("memfd_create", errno.ENOSYS)

    def test_no_cgroup_can_be_made(self):
        self.fail_each("mkdir", errno.EROFS, least=0)  # no cgroups, no folders

    def test_no_event_can_be_made(self):
        self.fail_each("eventfd", errno.EMFILE, least=0)  # of version 1

    def test_nothing_can_be_written(self):
        self.fail_each("write", errno.ENOSPC, least=0)

    def lose(self, name, error, nth):
        """sendmsg and send carry requests to workers and answers to clients. A client whose answer
        is lost sees the connection end; everybody else is served."""
        doing = f"{name} number {nth} says {errno.errorcode[error]}"
        with self.subTest(doing):
            with self.faults.armed(name, error, nth):
                for question in (lambda: self.host.post("/v1/plugins/echo/reload"),
                                 lambda: self.host.run("echo", "echo", {"a": 1})):
                    with contextlib.suppress(ConnectionError):
                        self.answered(question(), doing)
            self.live(doing)
            self.recovers(doing)

    def test_no_bytes_can_be_sent_for_a_moment(self):
        for error in (errno.ENOBUFS, errno.ENOMEM):
            for nth in range(1, 12):
                self.lose("sendmsg", error, nth)

    def test_a_request_that_cannot_be_sent_ends_at_its_deadline(self):
        """The pidfd says whether a worker has died, and nothing else does."""
        self.plugin("echo", limits={"timeout_seconds": 1, "load_timeout_seconds": 1})
        for nth in range(1, 12):
            self.lose("sendmsg", errno.EPIPE, nth)

    def test_no_connection_can_be_accepted_for_a_while(self):
        """Out of descriptors, a client waits until there are some again, or is told to ask later."""
        for error in (errno.EMFILE, errno.ENFILE, errno.ECONNABORTED, errno.ENOMEM):
            for times in (1, 5):
                doing = f"accept4 says {errno.errorcode[error]} {times} times"
                with self.subTest(doing), self.faults.armed("accept4", error, times=times):
                    self.answered(self.host.run("echo", "echo", {"a": 1}), doing)
                    self.live(doing)
                    self.assertGreater(self.faults.failed("accept4"), 0, doing)
                self.recovers(doing)

    def test_no_process_can_be_made_at_all(self):
        """A plugin that cannot be started says so, and nothing else suffers."""
        self.plugin("other")
        with self.faults.armed("clone", errno.EAGAIN, times=1000000):
            self.host.post("/v1/plugins/echo/reload")
            answer = self.host.run("echo", "echo", {})
            self.assert_error(answer, 503, "PluginUnavailable")
            self.assertIn("Resource temporarily unavailable", self.host.health("echo")["reason"])
            self.live("no process")
        self.recovers("afterwards")

    def test_memory_is_missing_anywhere_in_the_host(self):
        """Allocations fail one after the other while a call is answered and a plugin loaded."""
        if not self.faults.knows_malloc():
            self.skipTest("a sanitizer's malloc is its own")
        with self.faults.armed("malloc", errno.ENOMEM, 1 << 30):
            self.round("counting")
            calls = self.faults.seen("malloc")
        self.assertGreater(calls, 50)
        for nth in range(1, calls + 1, max(1, calls // 300)):
            doing = f"allocation {nth} of {calls} fails"
            with self.subTest(doing):
                with self.faults.armed("malloc", errno.ENOMEM, nth):
                    for ask in (lambda: self.host.post("/v1/plugins/echo/reload"),
                                lambda: self.host.run("echo", "echo", {"a": [1, 2]}),
                                lambda: self.host.get("/v1/plugins/echo/health")):
                        try:
                            answer = ask()
                        except (ConnectionError, OSError) as lost:
                            del lost  # a connection that could not be served is closed
                            continue
                        self.assertTrue(answer.status in (200, 404) or answer.status >= 500,
                                        f"{doing}: {answer!r}")
                self.assertTrue(self.host.alive(), f"{doing}:\n{self.host.stderr()}")
                self.live(doing)
        self.recovers("afterwards")


if __name__ == "__main__":
    unittest.main()
