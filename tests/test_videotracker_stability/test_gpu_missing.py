"""test_gpu_missing.py -- the plugin that used to take the server down, on a machine without its GPU."""
import os
import unittest

from host import HostCase

TEXT = "CUDA GPU not available. Check torch.cuda.is_available() or nvidia-smi."


class GpuMissing(HostCase):
    @unittest.skipIf(os.path.exists("/dev/nvidiactl"), "this machine has a GPU")
    def test_it_is_unavailable_with_the_promised_words_and_the_server_lives(self):
        self.plugin("videotracker", like="videotracker",
                    files=[("models/player-detection.pt",
                            b"PK\x03\x04" + b"\0" * 60 + b"PK\x05\x06" + b"\0" * 18)])
        self.plugin("well", like="crashtest")
        host = self.serve()
        health = host.health("videotracker")
        self.assertEqual(health["state"], "UNAVAILABLE")
        self.assertTrue(health["reason"].startswith(TEXT), health["reason"])
        for _ in range(20):
            self.assert_error(host.run("videotracker", "track"), 503, "PluginUnavailable", TEXT)
        self.assertEqual(host.health("videotracker")["error_count"], 0)
        listed = host.get("/v1/plugins").json
        self.assertEqual((listed["available"], listed["unavailable"]), (1, 1))
        self.assertEqual(host.run("well", "echo", {"a": 1}).result, {"a": 1})

    @unittest.skipIf(os.path.exists("/dev/nvidiactl"), "this machine has a GPU")
    def test_gpu_and_model_are_both_named_when_both_are_missing(self):
        self.plugin("videotracker", like="videotracker")
        reason = self.serve().health("videotracker")["reason"]
        self.assertIn(TEXT, reason)
        self.assertIn("Model file not found: models/player-detection.pt. "
                      "Download from ForgeSyte releases.", reason)

    @unittest.skipUnless(os.path.exists("/dev/nvidiactl"), "needs a GPU")
    def test_with_a_gpu_it_is_initialized(self):
        self.plugin("videotracker", like="videotracker",
                    files=[("models/player-detection.pt",
                            b"PK\x03\x04" + b"\0" * 60 + b"PK\x05\x06" + b"\0" * 18)])
        host = self.serve()
        self.assertEqual(host.health("videotracker")["state"], "INITIALIZED",
                         host.health("videotracker")["reason"])


if __name__ == "__main__":
    unittest.main()
