"""test_ocr_end_to_end.py -- the main job: text out of real images, over HTTP, in a box."""
import glob
import os
import shutil
import subprocess
import unittest

from host import BUNDLED, SAMPLES, HostCase


def samples():
    return sorted(path for ext in ("png", "jpg", "jpeg", "tif", "tiff", "webp", "bmp", "gif")
                  for path in glob.glob(os.path.join(SAMPLES, f"*.{ext}")))


def tesseract(path, *options):
    """What the tesseract program reads; None where it cannot open the format."""
    done = subprocess.run(["tesseract", path, "-", *options], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False,
                          env={**os.environ, "OMP_THREAD_LIMIT": "1"})
    return done.stdout.decode() if done.returncode == 0 else None


class Ocr(HostCase):
    def setUp(self):
        super().setUp()
        shutil.copytree(os.path.join(BUNDLED, "ocr"), os.path.join(self.plugins, "ocr"))
        self.host = self.serve()

    def analyze(self, data, query="", content_type="application/octet-stream"):
        return self.host.request("POST", f"/v1/plugins/ocr/tools/analyze/run{query}", data,
                                 {"Content-Type": content_type})

    def test_the_words_are_the_tesseract_programs(self):
        self.assertTrue(samples(), "no bundled image")
        for path in samples():
            with self.subTest(image=os.path.basename(path)), open(path, "rb") as f:
                words = tesseract(path)
                if words is None:
                    continue
                result = self.analyze(f.read()).result
                self.assertEqual(result["text"].split(), words.split())

    def test_psm_and_language_are_passed_on(self):
        path = samples()[0]
        with open(path, "rb") as f:
            data = f.read()
        for psm in (3, 6, 11):
            result = self.analyze(data, f"?psm={psm}&language=eng").result
            self.assertEqual(result["text"].split(), tesseract(path, "--psm", str(psm)).split())
            self.assertEqual(result["language"], "eng")

    def test_the_result_has_its_fields(self):
        with open(samples()[0], "rb") as f:
            result = self.analyze(f.read()).result
        self.assertLessEqual({"text", "confidence", "language", "image_size", "blocks"},
                             set(result))
        self.assertTrue(0 < result["confidence"] <= 1)
        self.assertEqual(set(result["image_size"]), {"width", "height"})
        for block in result["blocks"]:
            self.assertLessEqual({"text", "confidence", "bbox", "block_num", "line_num"},
                                 set(block))
            self.assertEqual(set(block["bbox"]), {"x", "y", "width", "height"})

    def test_bad_images_are_the_clients_error_and_the_next_call_works(self):
        with open(samples()[0], "rb") as f:
            good = f.read()
        bomb = (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\2\0\0\0"
                + b"\0" * 40)
        for name, data in (("text", b"hello, I am no image"), ("truncated", good[:len(good) // 3]),
                           ("empty", b""), ("bomb", bomb), ("noise", os.urandom(5000))):
            with self.subTest(image=name):
                answer = self.analyze(data)
                self.assertEqual(answer.status, 422, answer)
                self.assertEqual(self.host.state("ocr"), "INITIALIZED")
        self.assertEqual(self.analyze(good).status, 200)

    def test_an_unknown_language_names_the_installed_ones(self):
        with open(samples()[0], "rb") as f:
            answer = self.analyze(f.read(), "?language=tlh")
        self.assertEqual(answer.status, 422)
        self.assertIn("eng", answer.error)

    def test_a_psm_out_of_range_is_refused_by_the_schema(self):
        self.assert_error(self.analyze(b"x", "?psm=99"), 422, "InvalidArguments", "/psm")


if __name__ == "__main__":
    unittest.main()
