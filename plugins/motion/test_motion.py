"""test_motion.py -- motion is found where it is, and only there; no image does harm."""
import io
import os
import random
import struct
import sys
import unittest
import zlib

import numpy as np
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "python")]
import plugin
from forgesyte import ToolError

WIDTH, HEIGHT = 640, 480
SAMPLES = os.path.join(HERE, "..", "ocr", "samples")


def scene(light=100, square=None, noise=0, size=(WIDTH, HEIGHT)):
    """A grey room with a pattern on its wall; square = (x, y, side) is a bright thing in it."""
    width, height = size
    pixels = np.full((height, width), light, dtype=np.float64)
    pixels += 20 * ((np.arange(width) // 40) % 2)
    pixels += np.random.default_rng(1 + noise).normal(0, noise, pixels.shape) if noise else 0
    if square:
        x, y, side = square
        pixels[y:y + side, x:x + side] = 230
    return pixels.clip(0, 255).astype(np.uint8)


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def png_that_says(width, height):
    """A whole PNG but for its pixels: a few hundred bytes whatever it claims."""
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99)))
            + chunk(b"IEND", b""))


class Motion(unittest.TestCase):
    def setUp(self):
        self.plugin = plugin.Plugin()

    def see(self, pixels, **args):
        return self.plugin.run_tool("analyze", {"image": encoded(pixels), **args})

    def assert_refused(self, error_type, data):
        with self.assertRaises(ToolError) as caught:
            self.plugin.analyze(data)
        self.assertEqual(caught.exception.type, error_type)
        self.assertTrue(str(caught.exception))


class Scenes(Motion):
    def test_the_first_frame_has_nothing_to_be_compared_with(self):
        self.assertEqual(self.see(scene()), {
            "motion": False, "score": 0, "regions": [], "stream": "default", "frame_index": 0,
            "baseline_ready": False, "image_size": {"width": WIDTH, "height": HEIGHT}})

    def test_a_still_scene_has_no_motion(self):
        for index in range(10):
            seen = self.see(scene())
            self.assertEqual((seen["motion"], seen["score"]), (False, 0))
            self.assertEqual((seen["frame_index"], seen["baseline_ready"]), (index, index > 0))

    def test_a_moving_square_is_found_where_it_is(self):
        self.see(scene())
        corner = (WIDTH - 60, HEIGHT - 60, 60)
        for x, y, side in ((0, 0, 60), (100, 37, 60), (333, 201, 80), corner):
            seen = self.see(scene(square=(x, y, side)))
            self.assertTrue(seen["motion"])
            box, = seen["regions"]
            for key, truth in (("x", x), ("y", y), ("width", side), ("height", side)):
                self.assertAlmostEqual(box[key], truth, delta=3)
            self.assertAlmostEqual(box["area"], side * side / (WIDTH * HEIGHT), delta=0.002)
            self.assertAlmostEqual(seen["score"], box["area"], delta=0.001)

    def test_two_things_are_two_regions_the_larger_first(self):
        self.see(scene())
        both = np.maximum(scene(square=(50, 50, 40)), scene(square=(400, 300, 90)))
        regions = self.see(both)["regions"]
        self.assertEqual(len(regions), 2)
        self.assertGreater(regions[0]["x"], regions[1]["x"])
        self.assertEqual(len(self.see(both, min_area=0.01)["regions"]), 1)

    def test_boxes_stay_inside_frames_of_any_shape(self):
        for size in ((1, 1), (3, 2000), (2000, 3), (319, 321), (1921, 1081)):
            dark, bright = (np.full(size[::-1], grey, np.uint8) for grey in (0, 255))
            self.assertFalse(self.see(dark, stream=str(size))["motion"])
            seen = self.see(bright, stream=str(size))
            self.assertEqual(seen["score"], 1)
            for box in seen["regions"]:
                self.assertEqual((box["x"], box["y"], box["width"], box["height"]), (0, 0, *size))

    def test_slow_light_is_adapted_to_and_sudden_light_is_not(self):
        for light in range(60, 160):
            self.assertFalse(self.see(scene(light))["motion"], light)
        self.assertGreater(self.see(scene(60))["score"], 0.9)

    def test_noise_below_the_threshold_is_no_motion(self):
        for seed in range(1, 10):
            self.assertEqual(self.see(scene(noise=seed))["regions"], [])

    def test_what_stays_becomes_part_of_the_scene(self):
        self.see(scene())
        seen = [self.see(scene(square=(100, 100, 60)))["motion"] for _ in range(80)]
        self.assertEqual((seen[0], seen[-1]), (True, False))

    def test_alpha_1_compares_with_the_frame_before_and_alpha_0_with_the_first(self):
        for alpha, motion in ((1, False), (0, True)):
            for square in (None, (100, 100, 60), (100, 100, 60)):
                seen = self.see(scene(square=square), stream=str(alpha), alpha=alpha)
            self.assertEqual(seen["motion"], motion)


class Streams(Motion):
    def test_streams_do_not_see_each_other(self):
        self.see(scene(60), stream="a")
        self.see(scene(200), stream="b")
        self.assertFalse(self.see(scene(60), stream="a")["motion"])
        self.assertFalse(self.see(scene(200), stream="b")["motion"])

    def test_reset_begins_anew(self):
        self.see(scene(60))
        self.assertEqual(self.plugin.run_tool("reset", {}), {"stream": "default", "existed": True})
        self.assertFalse(self.see(scene(200))["baseline_ready"])
        self.assertFalse(self.plugin.reset("never seen")["existed"])

    def test_another_frame_size_begins_anew(self):
        self.see(scene())
        self.assertTrue(self.see(scene())["baseline_ready"])
        self.assertFalse(self.see(scene(size=(WIDTH, HEIGHT // 2)))["baseline_ready"])
        self.assertFalse(self.see(scene(size=(WIDTH * 2, HEIGHT * 2)))["baseline_ready"])

    def test_memory_is_bounded_by_forgetting_the_stalest_stream(self):
        pixels = np.zeros((400, 400), np.uint8)
        for number in range(3 * plugin.MAX_STREAMS):
            self.see(pixels, stream="kept")
            self.see(pixels, stream=str(number))
        self.assertEqual(len(self.plugin.streams), plugin.MAX_STREAMS)
        self.assertTrue(self.see(pixels, stream="kept")["baseline_ready"])
        self.assertFalse(self.see(pixels, stream="0")["baseline_ready"])
        held = sum(baseline.usual.nbytes for baseline in self.plugin.streams.values())
        self.assertLessEqual(held, plugin.MAX_STREAMS * plugin.SIDE ** 2 * 4)


class Images(Motion):
    def test_real_files_in_every_format(self):
        for ending in ("png", "jpg", "webp", "gif"):
            with open(os.path.join(SAMPLES, "sample." + ending), "rb") as file:
                seen = self.plugin.analyze(file.read(), stream="sample")
            self.assertEqual(seen["image_size"], {"width": 720, "height": 330})
            self.assertEqual(seen["score"], 0, ending)

    def test_16_bits_keep_their_light(self):
        self.see(scene(100))
        deep = encoded(scene(100).astype(np.uint16) * 256)
        self.assertEqual(self.plugin.analyze(deep)["score"], 0)

    def test_bytes_may_come_as_a_view(self):
        self.assertFalse(self.plugin.analyze(memoryview(encoded(scene())))["motion"])

    def test_no_bytes(self):
        self.assert_refused("EmptyImage", b"")

    def test_what_is_no_image(self):
        for data in (b"\0", b"hello", bytes(1000), b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"GIF89a"):
            self.assert_refused("BadImage", data)

    def test_half_an_image(self):
        for kind in ("PNG", "JPEG", "BMP", "WEBP"):
            data = encoded(scene(), kind)
            self.assert_refused("BadImage", data[:len(data) // 2])

    def test_a_bomb_is_refused_before_it_is_decoded(self):
        for side in (6001, 12000, 2 ** 20, 2 ** 31 - 1):
            self.assert_refused("ImageTooLarge", png_that_says(side, side))

    def test_what_is_refused_changes_no_baseline(self):
        self.see(scene())
        self.assert_refused("BadImage", b"hello")
        self.assertEqual(self.see(scene())["frame_index"], 1)

    def test_random_changes_are_an_answer_or_a_refusal(self):
        chance = random.Random(23)
        whole = [encoded(scene(size=(64, 48)), kind) for kind in plugin.FORMATS]
        for _ in range(600):
            data = bytearray(chance.choice(whole))
            for _ in range(chance.randint(1, 6)):
                data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7f, 0x80, 0xff))
            try:
                self.plugin.analyze(bytes(data))
            except ToolError as error:
                self.assertIn(error.type, ("BadImage", "ImageTooLarge"))


if __name__ == "__main__":
    unittest.main()
