"""test_imageinfo.py -- headers are read as they are, and nothing is read past their end."""
import os
import random
import struct
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from harness import HARNESS, Harness, plugin_so

SAMPLES = os.path.join(HERE, "..", "ocr", "samples")
# With AddressSanitizer where it was built: a read past the end ends the process.
PROGRAM = os.environ.get("FORGESYTE_HARNESS_ASAN", HARNESS)


def png(width, height):
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height)


def jpeg(width, height, marker=0xc0, before=b""):
    return (b"\xff\xd8" + before + struct.pack(">BBHBHH", 0xff, marker, 17, 8, height, width))


def gif(width, height):
    return b"GIF89a" + struct.pack("<HH", width, height)


def bmp(width, height):
    return b"BM" + bytes(12) + struct.pack("<Iii", 40, width, height)


def webp(kind, header):
    return b"RIFF\0\0\0\0WEBP" + kind + bytes(4) + header


def vp8(width, height):
    return webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width | 0x4000, height | 0x8000))


def vp8l(width, height):
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14 | 1 << 28))


def vp8x(width, height):
    return webp(b"VP8X", bytes(4) + (width - 1).to_bytes(3, "little")
                + (height - 1).to_bytes(3, "little"))


APP0 = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
HEADERS = {
    "PNG": [(png(w, h), w, h) for w, h in ((1, 1), (720, 330), (2 ** 31 - 1, 65536))],
    "JPEG": [(jpeg(4000, 3000), 4000, 3000), (jpeg(1, 65535, 0xc2, APP0), 1, 65535),
             (jpeg(640, 480, 0xc1, APP0 + b"\xff\xc4\0\4\0\0\xff\xff"), 640, 480)],
    "GIF": [(gif(1, 65535), 1, 65535)],
    "BMP": [(bmp(800, 600), 800, 600), (bmp(800, -600), 800, 600)],
    "WebP": [(vp8(176, 144), 176, 144), (vp8l(16384, 1), 16384, 1), (vp8l(1, 16384), 1, 16384),
             (vp8x(2 ** 24, 7), 2 ** 24, 7)],
}


class Headers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.harness = Harness(plugin_so("imageinfo"), PROGRAM)
        self.addCleanup(lambda: self.assertEqual(self.harness.close(), 0))

    def inspect(self, data):
        path = os.path.join(self.folder.name, "image")
        with open(path, "wb") as file:
            file.write(data)
        return self.harness.call("inspect", image=path)

    def refused(self, data):
        self.assertEqual(self.inspect(data).get("error_type"), "BadImage", data)

    def test_every_format_at_its_limits(self):
        for name, headers in HEADERS.items():
            for data, width, height in headers:
                with self.subTest(name, width=width, height=height):
                    self.assertEqual(self.inspect(data), {"ok": True, "result": {
                        "format": name, "width": width, "height": height}})

    def test_real_files(self):
        for name, kind in (("png", "PNG"), ("jpg", "JPEG"), ("gif", "GIF"), ("bmp", "BMP"),
                           ("webp", "WebP")):
            path = os.path.join(SAMPLES, "sample." + name)
            result = self.harness.call("inspect", image=path)["result"]
            self.assertEqual(result, {"format": kind, "width": 720, "height": 330})

    def test_a_header_cut_anywhere_is_refused(self):
        for headers in HEADERS.values():
            for data, _, _ in headers:
                for length in range(len(data)):
                    self.refused(data[:length])

    def test_what_is_not_an_image_is_refused(self):
        for data in (b"", b"hello", bytes(100), b"%PDF-1.7 and more of it", b"RIFF\0\0\0\0WAVEfmt ",
                     png(0, 1), png(1, 0), gif(0, 0), jpeg(5, 0), webp(b"VP8?", bytes(30)),
                     b"\xff\xd8" + b"\xff" * 100, b"\xff\xd8" + b"\xff\xe0\0\0" * 30):
            self.refused(data)

    def test_no_image_is_refused(self):
        self.assertEqual(self.harness.call("inspect")["error_type"], "BadImage")

    def test_random_changes_never_crash_it(self):
        chance = random.Random(20)
        headers = [data for group in HEADERS.values() for data, _, _ in group]
        for _ in range(3000):
            data = bytearray(chance.choice(headers))
            for _ in range(chance.randint(1, 4)):
                data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7f, 0x80, 0xff))
            self.inspect(bytes(data[:chance.randint(0, len(data) + 4)]))
        self.assertTrue(self.inspect(png(3, 4))["ok"])


if __name__ == "__main__":
    unittest.main()
