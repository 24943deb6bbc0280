"""test_ocr_leaks.py -- 200 mixed calls in one process leave nothing behind."""
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from harness import Harness, plugin_so

SAMPLES = os.path.join(HERE, "samples")
CALLS, ROUND = 200, 35
HARNESS_ASAN = os.environ.get("FORGESYTE_HARNESS_ASAN", "")
os.environ["OMP_THREAD_LIMIT"] = "1"  # as the manifest sets it


def mixed_calls(folder):
    """Every format, several modes and languages, every declared error."""
    def broken(name, keep):
        path = os.path.join(folder, f"{keep}-{name}")
        with open(os.path.join(SAMPLES, name), "rb") as file, open(path, "wb") as out:
            data = file.read()
            out.write(data[:int(len(data) * keep)])
        return path

    names = ["sample." + name for name in ("png", "jpg", "tif", "webp", "bmp", "gif")]
    whole = os.path.join(SAMPLES, "pages.tif")
    calls = [(broken(name, keep), {}) for name in names for keep in (0, 0.1, 0.9)]
    calls += [(broken("sample.png", 0.5), {"psm": 8}), (whole, {"psm": 7}), (whole, {"psm": 0}),
              (whole, {"psm": 1}), (whole, {"psm": 2}), (whole, {"psm": 99}), (whole, {"psm": 11}),
              (whole, {"language": "xyz"}), (whole, {"language": "eng+osd"}), (whole, {}),
              (__file__, {})]
    calls += [(os.path.join(SAMPLES, name), {"psm": 13}) for name in names]
    assert len(calls) == ROUND
    return [calls[i % ROUND] for i in range(CALLS)]


class Leaks(unittest.TestCase):
    def run_calls(self, harness):
        """The answers, and the heap in use after each call."""
        answers, heap = [], []
        with tempfile.TemporaryDirectory() as folder:
            for path, args in mixed_calls(folder):
                answers.append(harness.call("analyze", args, image=path))
                heap.append(harness.heap())
        return answers, heap

    def test_the_heap_after_a_round_of_calls_is_as_before_it(self):
        harness = Harness(plugin_so("ocr"))
        answers, heap = self.run_calls(harness)
        self.assertEqual(harness.close(), 0)
        self.assertGreater(sum(a["ok"] for a in answers), CALLS // 4)
        last = (CALLS - 1) // ROUND * ROUND - 1  # ends of the first and the last whole round
        # Tesseract's own vectors settle by some kilobytes; a page left behind would be far more.
        self.assertLess(heap[last] - heap[ROUND - 1], 65536)

    @unittest.skipUnless(HARNESS_ASAN, "needs the harness with AddressSanitizer")
    def test_the_sanitizer_finds_no_leak_and_no_overrun(self):
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:halt_on_error=1")
        with tempfile.TemporaryFile() as stderr:
            harness = Harness(plugin_so("ocr"), HARNESS_ASAN, stderr=stderr, env=environment)
            self.run_calls(harness)
            status = harness.close()
            stderr.seek(0)
            report = stderr.read().decode(errors="replace").rpartition("=====")[2]
        self.assertEqual(status, 0, report)


if __name__ == "__main__":
    unittest.main()
