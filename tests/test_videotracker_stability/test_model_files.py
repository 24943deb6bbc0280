"""test_model_files.py -- its model is missing, then truncated, then fine: one reload each, no restart."""
import os
import unittest

from host import HostCase

PATH = "models/player-detection.pt"
ZIP = b"PK\x03\x04" + b"\0" * 4000 + b"PK\x05\x06" + b"\0" * 18


class ModelFiles(HostCase):
    def write(self, data):
        os.makedirs(os.path.join(self.plugins, "videotracker", "models"), exist_ok=True)
        with open(os.path.join(self.plugins, "videotracker", PATH), "wb") as f:
            f.write(data)

    def test_missing_truncated_fine(self):
        self.plugin("videotracker", like="videotracker", requires_gpu=False)
        host = self.serve()
        pid = host.pid
        health = host.health("videotracker")
        self.assertEqual(health["state"], "UNAVAILABLE")
        self.assertTrue(health["reason"].startswith(
            f"Model file not found: {PATH}. Download from ForgeSyte releases."), health["reason"])
        self.write(ZIP[:1000])
        health = host.post("/v1/plugins/videotracker/reload").json
        self.assertEqual(health["state"], "UNAVAILABLE")
        self.assertTrue(health["reason"].startswith(
            f"Model file truncated or corrupted: {PATH}. Re-download."), health["reason"])
        self.write(ZIP)
        health = host.post("/v1/plugins/videotracker/reload").json
        self.assertEqual((health["state"], health["reason"], health["generation"]),
                         ("INITIALIZED", None, 3))
        self.assertEqual(host.run("videotracker", "track", {"frames": 50}).result,
                         {"frames": 50, "model_bytes": len(ZIP)})
        self.assertEqual(host.pid, pid)

    def test_a_model_that_vanishes_under_a_running_plugin_is_noticed_at_the_reload(self):
        self.plugin("videotracker", like="videotracker", requires_gpu=False, files=[(PATH, ZIP)])
        host = self.serve()
        os.unlink(os.path.join(self.plugins, "videotracker", PATH))
        self.assertEqual(host.run("videotracker", "track", {"frames": 5}).result["frames"], 5)
        self.assertEqual(host.post("/v1/plugins/videotracker/reload").json["state"],
                         "UNAVAILABLE")

    def test_an_empty_model_and_a_folder_are_corrupt_or_missing(self):
        self.plugin("videotracker", like="videotracker", requires_gpu=False, files=[(PATH, b"")])
        self.plugin("other", like="videotracker", requires_gpu=False,
                    models={"player-detection": "models"}, files=[("models/x", b"")])
        host = self.serve()
        for name in ("videotracker", "other"):
            health = host.health(name)
            self.assertEqual(health["state"], "UNAVAILABLE")
            self.assertIn("Model file", health["reason"])


if __name__ == "__main__":
    unittest.main()
