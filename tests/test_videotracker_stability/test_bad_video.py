"""test_bad_video.py -- the incident itself: a video that aborts the tracker, with other work beside."""
import unittest

from host import HostCase

PATH = "models/player-detection.pt"
ZIP = b"PK\x03\x04" + b"\0" * 4000 + b"PK\x05\x06" + b"\0" * 18


class BadVideo(HostCase):
    def test_an_abort_in_the_tracker_costs_nobody_else_anything(self):
        self.plugin("videotracker", like="videotracker", requires_gpu=False, files=[(PATH, ZIP)],
                    restart="on-failure")
        self.plugin("well", like="crashtest", limits={"timeout_seconds": 30})
        host = self.serve()
        pid = host.pid
        beside = [host.begin("well", "sleep", {"ms": 20}) for _ in range(20)]
        answer = host.run("videotracker", "track", {"frames": 666})
        self.assert_error(answer, 502, "PluginCrashed", "signal 6 (SIGABRT)")
        self.assertEqual([call.join().status for call in beside], [200] * 20)
        self.assertTrue(host.alive())
        self.assertEqual(host.pid, pid)
        health = host.wait_health("videotracker", lambda h: h["generation"] == 2 and
                                  h["state"] == "INITIALIZED")
        self.assertEqual(health["error_count"], 1)
        self.assertEqual(host.run("videotracker", "track", {"frames": 10}).result["frames"], 10)

    def test_a_bad_request_to_it_is_the_clients_error_only(self):
        self.plugin("videotracker", like="videotracker", requires_gpu=False, files=[(PATH, ZIP)])
        host = self.serve()
        self.assert_error(host.run("videotracker", "track", {"frames": "many"}), 422,
                          "InvalidArguments", "/frames")
        self.assertEqual(host.state("videotracker"), "INITIALIZED")


if __name__ == "__main__":
    unittest.main()
