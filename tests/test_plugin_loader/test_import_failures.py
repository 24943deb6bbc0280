"""test_import_failures.py -- step 3 of loading: what cannot be imported is FAILED and says why."""
import os
import unittest

from host import HostCase

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


class ImportFailures(HostCase):
    def failed(self, name, error_type, words=""):
        """The health of a plugin that must have failed to load."""
        health = self.host.wait_state(name, "FAILED", "INITIALIZED", "UNAVAILABLE")
        self.assertEqual(health["state"], "FAILED", health)
        self.assertEqual(health["last_failure"]["error_type"], error_type, health)
        self.assertIn(words, health["reason"])
        self.assertEqual(health["instances"], [])
        return health

    def start(self, entrypoint, **manifest):
        """A plugin "broken" whose shared object is these bytes, beside one that is well."""
        self.plugin("well", like="crashtest")
        if isinstance(entrypoint, bytes):
            self.plugin("broken", like="stages", files=[("broken.so", entrypoint)],
                        **{"entrypoint": "broken.so", **manifest})
            with open(os.path.join(self.plugins, "broken", "broken.so"), "wb") as f:
                f.write(entrypoint)
        else:
            self.plugin("broken", like="stages", so=entrypoint, **manifest)
        self.host = self.serve()

    def tearDown(self):
        """Whatever was wrong with the one, the other serves."""
        self.assertEqual(self.host.run("well", "echo", {"a": 1}).result, {"a": 1})
        self.assert_error(self.host.run("broken", "ping"), 503, "PluginUnavailable",
                          self.host.health("broken")["reason"][:40])

    def test_an_empty_file_is_no_shared_object(self):
        self.start(b"")
        self.failed("broken", "ImportError")

    def test_a_text_file_is_no_shared_object(self):
        self.start(b"#!/bin/sh\necho hello\n" * 10)
        self.failed("broken", "ImportError")

    def test_an_image_is_no_shared_object(self):
        self.start(PNG * 100)
        self.failed("broken", "ImportError")

    def test_a_truncated_object_fails_the_plugin_and_not_the_host(self):
        with open(os.path.join(os.path.dirname(self._template("stages")[1]), "stages.so"),
                  "rb") as f:
            whole = f.read()
        self.start(whole[:4096])
        health = self.host.wait_state("broken", "FAILED")
        self.assertIn(health["last_failure"]["error_type"], ("ImportError", "PluginCrashed"))

    def test_a_missing_file_is_named(self):
        self.start("nothing of that name")
        self.failed("broken", "ImportError", "plugin.so")

    def test_an_undefined_symbol_is_named(self):
        self.start("undefined")
        self.failed("broken", "ImportError", "nobody_has_this_symbol")

    def test_an_object_without_the_entry_symbol_is_no_plugin(self):
        self.start("noentry")
        health = self.host.wait_state("broken", "FAILED")
        self.assertIn(health["last_failure"]["error_type"], ("AbiMismatch", "ImportError"))
        self.assertIn("forgesyte_plugin", health["reason"])

    def test_another_abi_is_refused_by_number(self):
        self.start("otherabi")
        self.assertIn("1", self.failed("broken", "AbiMismatch", "999")["reason"])

    def test_a_struct_of_2_gib_is_refused(self):
        self.start("hugestruct")
        self.failed("broken", "AbiMismatch")

    def test_a_tool_that_the_object_lacks_is_named(self):
        self.start("stages", tools=[{"name": "ping"}, {"name": "pong"}])
        health = self.host.wait_state("broken", "FAILED")
        self.assertIn("pong", health["reason"])

    def test_a_crashing_constructor_is_a_crash_while_loading(self):
        self.start("stages", env={"STAGE": "constructor", "HOW": "crash"})
        health = self.failed("broken", "PluginCrashed", "SIGSEGV")
        self.assertIn("stage=load", health["reason"])
        self.assertEqual(health["last_failure"]["signal"], 11)
        self.assertIn("going wrong in constructor", health["last_failure"]["stderr_tail"])

    def test_a_constructor_that_exits_0_is_no_success(self):
        self.start("stages", env={"STAGE": "constructor", "HOW": "exit"})
        self.failed("broken", "ImportError", "exited")

    def test_a_hanging_constructor_meets_the_load_deadline(self):
        self.start("stages", env={"STAGE": "constructor", "HOW": "hang"},
                   limits={"load_timeout_seconds": 1})
        self.failed("broken", "TimeoutError", "stage=load")


if __name__ == "__main__":
    unittest.main()
