"""test_motion_end_to_end.py -- frames over HTTP to the bundled Python plugin, in its box."""
import io
import os
import shutil
import unittest

from PIL import Image, ImageDraw

from host import BUNDLED, HostCase


def frame(kind="JPEG", square=None):
    file = io.BytesIO()
    picture = Image.new("RGB", (640, 480), (90, 100, 110))
    if square:
        x, y, side = square
        ImageDraw.Draw(picture).rectangle((x, y, x + side - 1, y + side - 1), fill=(250, 240, 220))
    picture.save(file, kind)
    return file.getvalue()


class Motion(HostCase):
    def setUp(self):
        super().setUp()
        shutil.copytree(os.path.join(BUNDLED, "motion"), os.path.join(self.plugins, "motion"))
        self.host = self.serve()

    def see(self, data, query="", kind="image/jpeg"):
        return self.host.request("POST", f"/v1/plugins/motion/tools/analyze/run{query}", data,
                                 {"Content-Type": kind})

    def test_what_moves_is_found_where_it_is(self):
        for index in range(3):
            result = self.see(frame(), "?stream=door").result
            self.assertEqual((result["motion"], result["frame_index"]), (False, index))
        result = self.see(frame(square=(200, 120, 80)), "?stream=door").result
        box, = result["regions"]
        for key, truth in (("x", 200), ("y", 120), ("width", 80), ("height", 80)):
            self.assertAlmostEqual(box[key], truth, delta=4)
        self.assertFalse(self.see(frame(), "?stream=yard").result["baseline_ready"])
        self.assertTrue(self.host.run("motion", "reset", {"stream": "door"}).result["existed"])
        self.assertFalse(self.see(frame(), "?stream=door").result["baseline_ready"])

    def test_a_bad_frame_is_the_callers_error_and_costs_no_baseline(self):
        self.see(frame())
        for data, error_type in ((b"hello", "BadImage"), (frame()[:500], "BadImage")):
            answer = self.see(data)
            self.assertEqual((answer.status, answer.json["error_type"]), (422, error_type))
        self.assertEqual(self.see(frame("PNG"), kind="image/png").result["frame_index"], 1)
        self.assertEqual(self.host.health("motion")["generation"], 1)


if __name__ == "__main__":
    unittest.main()
