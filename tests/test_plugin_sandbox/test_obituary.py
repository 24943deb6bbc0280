"""test_obituary.py -- what a client reads of a death: signal, cause, where, in which stage, its peak memory."""
import unittest

from host import HostCase


class Obituary(HostCase):
    def dies(self, tool, arguments=None, **manifest):
        """The answer and the health's last_failure of a plugin that died of this."""
        self.plugin("p", like="crashtest", **manifest)
        host = self.serve()
        answer = host.run("p", tool, arguments or {})
        failure = host.health("p")["last_failure"]
        self.assertEqual((answer.status, failure["error"]), (502, answer.error))
        return answer, failure

    def test_a_null_pointer_is_named_with_its_address(self):
        answer, failure = self.dies("segfault")
        self.assertEqual(answer.error_type, "PluginCrashed")
        self.assertIn("died by signal 11 (SIGSEGV) at address 0x0 (NULL dereference)", answer.error)
        self.assertIn("stage=call", answer.error)
        self.assertEqual(failure["signal"], 11)
        self.assertGreater(failure["peak_rss_bytes"], 100_000)

    def test_a_stack_overflow_is_named(self):
        answer, failure = self.dies("stack_overflow")
        self.assertIn("died by signal 11 (SIGSEGV) at address 0x", answer.error)
        self.assertIn("(stack overflow)", answer.error)
        self.assertEqual(failure["signal"], 11)

    def test_an_abort_stays_an_abort(self):
        answer, failure = self.dies("abort")
        self.assertIn("died by signal 6 (SIGABRT)", answer.error)
        self.assertNotIn("address", answer.error)
        self.assertEqual(failure["signal"], 6)

    def test_a_memory_kill_tells_its_peak(self):
        answer, failure = self.dies("allocate")
        self.assertEqual(answer.error_type, "MemoryLimitExceeded")
        self.assertGreater(failure["peak_rss_bytes"], 200 << 20)

    def test_without_namespaces_the_words_are_the_same(self):
        self.plugin("p", like="crashtest")
        host = self.serve(env={"FORGESYTE_FAKE_MISSING": "userns,pidns,mountns,netns"})
        self.assertIn("at address 0x0 (NULL dereference)", host.run("p", "segfault").error)


if __name__ == "__main__":
    unittest.main()
