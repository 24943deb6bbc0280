"""test_python_gpu.py -- requires_gpu in a Python plugin: both torch in the plugin's own interpreter and
nvidia-smi must see one."""
import os
import unittest

from python_case import PythonCase, functions
from test_python_interpreters import make_venv

WORDS = "CUDA GPU not available. Check torch.cuda.is_available() or nvidia-smi."
TORCH = """
class cuda:
    @staticmethod
    def is_available():
        print("looking")
        return {available}

    @staticmethod
    def device_count():
        return int({available})
"""
GPU = os.path.exists("/dev/nvidiactl")


class Gpu(PythonCase):
    def reason(self, torch=None):
        folder = self.python_plugin(functions("def well():\n    return 1\n"), requires_gpu=True,
                                    **({"python": "venv/bin/python"} if torch else {}))
        if torch:
            make_venv(os.path.join(folder, "venv"), package="torch", text=torch)
        self.host = self.serve()
        health = self.host.health("p")
        if health["state"] != "INITIALIZED":
            self.assertEqual(health["state"], "UNAVAILABLE", health)
            self.assertTrue(health["reason"].startswith(WORDS), health["reason"])
            self.assert_error(self.host.run("p", "well"), 503, "PluginUnavailable", WORDS)
        return health["reason"]

    def test_without_torch_it_is_unavailable_and_torch_is_named(self):
        make = "" if not os.path.exists("/usr/lib/python3/dist-packages/torch") else None
        if make is None:
            self.skipTest("this machine has torch")
        self.assertIn("driver: No module named 'torch'", self.reason())

    def test_a_torch_that_sees_none_is_told(self):
        reason = self.reason(TORCH.format(available=False))
        self.assertIn("driver: torch.cuda.is_available() is False", reason)

    def test_a_torch_that_is_broken_is_told_in_its_words(self):
        self.assertIn("libcudart.so.11", self.reason("raise OSError('libcudart.so.11: not there')\n"))

    def test_a_torch_that_crashes_is_told(self):
        reason = self.reason("import os\nos.abort()\n")
        self.assertIn("driver: ", reason)
        self.assertRegex(reason, "died by signal (6|11)")  # abort() may signal no one in some boxes

    @unittest.skipIf(GPU, "this machine has a GPU")
    def test_a_torch_that_sees_one_is_not_enough(self):
        reason = self.reason(TORCH.format(available=True))
        self.assertIn("nvidia-smi is not on PATH", reason)
        self.assertNotIn("driver:", reason)

    @unittest.skipUnless(GPU, "needs a GPU")
    def test_a_torch_that_sees_one_and_nvidia_smi_are_enough(self):
        self.assertIsNone(self.reason(TORCH.format(available=True)))
        self.assertEqual(self.host.run("p", "well").result, 1)


if __name__ == "__main__":
    unittest.main()
