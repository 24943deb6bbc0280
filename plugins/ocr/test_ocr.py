"""test_ocr.py -- the plugin reads what the tesseract program reads, and survives what it can't."""
import glob
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from harness import Harness, plugin_so, run_once

SO = plugin_so("ocr")
SAMPLES = os.path.join(HERE, "samples")
FORMATS = ("png", "jpg", "tif", "webp", "bmp", "gif")
os.environ["OMP_THREAD_LIMIT"] = "1"  # as the manifest sets it


def sample(name):
    return os.path.join(SAMPLES, name)


def read(name):
    with open(sample(name), "rb") as file:
        return file.read()


def program(path, *options):
    """What the tesseract program prints, without the form feed that ends it."""
    done = subprocess.run(["tesseract", path, "-", *options], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True)
    return done.stdout.decode().removesuffix("\f")


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, colour=0, depth=8, rows=None):
    """A PNG of `rows`; without rows its data is missing, its header is right."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + (
        png_chunk(b"IDAT", zlib.compress(rows, 9)) if rows else b"") + png_chunk(b"IEND", b"")


def white_png(width, height):
    return png(width, height, rows=(b"\0" + b"\xff" * width) * height)


def gif(width, height, frames=1, frame_size=None):
    frame_width, frame_height = frame_size or (width, height)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, frame_width, frame_height, 0) + b"\x02\x01\x2c\0"
    return (b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
            + frame * frames + b";")


def tiff(width, height, pages=1):
    """Pages of one strip that is not there."""
    out = b"II*\0" + struct.pack("<I", 8)
    for page in range(pages):
        tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1),
                (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, width * height)]
        following = len(out) + 2 + 12 * len(tags) + 4 if page + 1 < pages else 0
        out += struct.pack("<H", len(tags))
        out += b"".join(struct.pack("<HHII", tag, kind, 1, value & 0xffffffff)
                        for tag, kind, value in tags)
        out += struct.pack("<I", following)
    return out


def webp(width, height):
    """A lossless header and nothing of the picture."""
    head = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(7)
    body = b"WEBPVP8L" + struct.pack("<I", len(head)) + head
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_claiming(width, height):
    """The sample with another size in its frame header."""
    data = bytearray(read("sample.jpg"))
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    data[at + 5:at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


class OcrCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.harness = Harness(SO)
        cls.addClassCleanup(cls.harness.close)

    def file(self, data):
        path = os.path.join(self.folder.name, "image")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def analyze(self, path, **args):
        return self.harness.call("analyze", args, image=path)

    def result(self, path, **args):
        answer = self.analyze(path, **args)
        self.assertTrue(answer["ok"], answer)
        return answer["result"]

    def refused(self, path, error_type, **args):
        """The declared error's words; the next call works."""
        answer = self.analyze(path, **args)
        self.assertEqual((answer["ok"], answer.get("error_type")), (False, error_type), answer)
        self.assertIn("First page, one line", self.result(sample("pages.tif"))["text"])
        return answer["error"]


@unittest.skipUnless(shutil.which("tesseract"), "needs the tesseract program")
class SameWordsAsTheProgram(OcrCase):
    def test_in_every_format(self):
        for name in FORMATS:
            with self.subTest(name):
                path = sample("sample." + name)
                self.assertEqual(self.result(path)["text"], program(path))

    def test_with_every_psm(self):
        for psm in range(14):
            if psm == 2:  # the program prints a report on the layout instead of words
                continue
            with self.subTest(psm=psm):
                path = sample("sample.png")
                self.assertEqual(self.result(path, psm=psm)["text"],
                                 program(path, "--psm", str(psm)))

    def test_with_other_languages(self):
        for language in ("osd", "eng+osd", "eng"):
            with self.subTest(language):
                result = self.result(sample("sample.png"), language=language)
                self.assertEqual(result["text"], program(sample("sample.png"), "-l", language))
                self.assertEqual(result["language"], language)

    def test_on_all_pages_of_a_tiff(self):
        result = self.result(sample("pages.tif"))
        self.assertEqual(result["text"], program(sample("pages.tif")))
        self.assertEqual(result["pages"], 2)
        self.assertEqual([(b["text"], b["page_num"]) for b in result["blocks"]],
                         [("First page, one line", 1), ("Second page begins", 2),
                          ("and ends here", 2)])

    def test_at_any_resolution_and_in_any_order(self):
        """What the image says of its resolution counts, and no call colours the next."""
        data = read("sample.png")
        at = data.index(b"pHYs")
        calls = []
        for dpi in (None, 30, 72, 300, 1200, 5000):
            for psm in (1, 3, 11, 12):
                metres = struct.pack(">IIB", round(dpi / 0.0254), round(dpi / 0.0254), 1) \
                    if dpi else b""
                phys = png_chunk(b"pHYs", metres) if dpi else b""
                path = os.path.join(self.folder.name, f"{dpi}.png")
                with open(path, "wb") as file:
                    file.write(data[:at - 4] + phys + data[at + 17:])
                calls.append((path, psm))
        expected = {call: program(call[0], "--psm", str(call[1])) for call in calls}
        for path, psm in calls + calls[::-1]:
            with self.subTest(path=path, psm=psm):
                self.assertEqual(self.result(path, psm=psm)["text"], expected[path, psm])

    def test_lines_are_where_the_programs_table_puts_them(self):
        for psm in (3, 6, 11):
            rows = [row.split("\t") for row in
                    program(sample("sample.png"), "--psm", str(psm), "tsv").splitlines()[1:]]
            lines = [tuple(map(int, row[6:10])) + (int(row[2]),) for row in rows if row[0] == "4"]
            blocks = self.result(sample("sample.png"), psm=psm)["blocks"]
            self.assertEqual(lines, [tuple(b["bbox"][k] for k in ("x", "y", "width", "height"))
                                     + (b["block_num"],) for b in blocks])

    def test_a_blank_page_has_no_words(self):
        path = self.file(white_png(300, 200))
        result = self.result(path)
        self.assertEqual((result["text"], result["blocks"], result["confidence"]),
                         (program(path), [], 0))


class Answers(OcrCase):
    def test_the_sample_reads_as_it_was_written(self):
        result = self.result(sample("sample.png"))
        self.assertEqual(result["text"], read("sample.txt").decode())
        self.assertEqual(result["image_size"], {"width": 720, "height": 330})
        self.assertGreater(result["confidence"], 0.9)
        self.assertEqual((result["language"], result["pages"]), ("eng", 1))

    def test_blocks_are_the_lines_of_the_text(self):
        result = self.result(sample("sample.png"))
        self.assertEqual([b["text"] for b in result["blocks"]],
                         [line for line in result["text"].split("\n") if line])
        self.assertEqual({b["page_num"] for b in result["blocks"]}, {1})
        places = [(b["block_num"], b["line_num"]) for b in result["blocks"]]
        self.assertEqual(places, sorted(set(places)))
        for block in result["blocks"]:
            self.assertTrue(0 < block["confidence"] <= 1)
            box = block["bbox"]
            self.assertTrue(0 <= box["x"] < box["x"] + box["width"] <= 720)
            self.assertTrue(0 <= box["y"] < box["y"] + box["height"] <= 330)

    def test_psm_0_tells_orientation_and_script(self):
        result = self.result(sample("sample.png"), psm=0)
        self.assertEqual((result["osd"]["rotate"], result["osd"]["script"]), (0, "Latin"))
        self.assertIn("Script: Latin\n", result["text"])
        self.assertEqual((result["blocks"], result["language"]), ([], "osd"))

    def test_psm_2_tells_where_lines_are_and_no_words(self):
        result = self.result(sample("sample.png"), psm=2)
        self.assertEqual((result["text"], result["confidence"]), ("", 0))
        self.assertEqual([b["bbox"] for b in result["blocks"]],
                         [b["bbox"] for b in self.result(sample("sample.png"))["blocks"]])

    def test_every_answer_fits_the_manifests_fields(self):
        with open(os.path.join(HERE, "manifest.json")) as file:
            schema = json.load(file)["tools"][0]["output_schema"]
        for psm in range(14):
            result = self.result(sample("sample.png"), psm=psm)
            self.assertEqual(set(result) - {"osd"}, set(schema["required"]))
            for block in result["blocks"]:
                self.assertEqual(set(block),
                                 set(schema["properties"]["blocks"]["items"]["required"]))


class DeclaredErrors(OcrCase):
    def test_an_empty_image(self):
        self.refused(self.file(b""), "EmptyImage")

    def test_no_image_at_all(self):
        self.assertEqual(self.harness.call("analyze")["error_type"], "EmptyImage")

    def test_what_is_not_an_image(self):
        inputs = {"text": b"The quick brown fox jumps over the lazy dog\n" * 9, "short": b"\x89PNG",
                  "zeroes": bytes(4096), "pdf": b"%PDF-1.7\n" * 20, "pnm": b"P5 2 2 255\n" * 9,
                  "list of files": b"/etc/passwd\n/etc/hostname\n"}
        for name, data in inputs.items():
            with self.subTest(name):
                self.refused(self.file(data), "BadImage")

    def test_a_truncated_image_of_every_format(self):
        for name in FORMATS:
            data = read("sample." + name)
            for keep in (0.02, 0.1, 0.5, 0.9, 0.98):
                with self.subTest(name, keep=keep):
                    self.refused(self.file(data[:int(len(data) * keep)]), "BadImage")

    def test_a_truncated_second_page(self):
        data = read("pages.tif")
        self.refused(self.file(data[:len(data) * 3 // 4]), "BadImage")

    def test_a_header_alone(self):
        for name in FORMATS:
            with self.subTest(name):
                self.refused(self.file(read("sample." + name)[:16] + bytes(500)), "BadImage")

    def test_decompression_bombs_of_every_format(self):
        side = 20000
        bombs = {
            "png": png(side, side), "png 1 bit": png(side, side, depth=1),
            "real png": png(side, side, depth=1, rows=bytes((side // 8 + 1) * side)),
            "png rgba": png(9000, 9000, colour=6), "jpg": jpeg_claiming(side, side),
            "tif": tiff(side, side), "webp": webp(16383, 16383), "gif": gif(side, side),
            "gif frame": gif(10, 10, frame_size=(65535, 65535)),
            "gif frames": gif(5000, 5000, frames=5), "tif pages": tiff(5000, 5000, pages=5),
            "many pages": tiff(1, 1, pages=500), "wide": png(32768, 1), "high": png(1, 32768),
        }
        for name, data in bombs.items():
            with self.subTest(name):
                before = self.harness.rss_kb()
                self.refused(self.file(data), "ImageTooLarge")
                self.assertLess(self.harness.rss_kb() - before, 60000)

    def test_an_unknown_language_names_those_there_are(self):
        for language in ("xyz", "eng+xyz", "", "+", "eng+", "../eng", "/etc/passwd", "~eng",
                         "e" * 10000, "eng.traineddata", "%s%n"):
            with self.subTest(language[:20]):
                words = self.refused(sample("sample.png"), "UnknownLanguage", language=language)
                self.assertIn("eng, osd" if len(language) < 100 else "eng", words)

    def test_a_psm_that_is_none(self):
        for psm in (-1, 14, 2 ** 31, -2 ** 40, 2 ** 40):
            with self.subTest(psm=psm):
                self.refused(sample("sample.png"), "BadPsm", psm=psm)

    def test_too_little_text_for_psm_0(self):
        self.refused(self.file(white_png(300, 200)), "TooLittleText", psm=0)

    def test_tiny_pictures_are_read_as_blank(self):
        for size in ((1, 1), (2, 2), (1, 500), (500, 1), (3, 3), (32767, 1)):
            for psm in range(1, 14):
                with self.subTest(size=size, psm=psm):
                    answer = self.analyze(self.file(white_png(*size)), psm=psm)
                    if not answer["ok"]:
                        self.assertEqual(answer["error_type"], "BadImage")


class LanguageData(unittest.TestCase):
    """Other folders of language data than the installed one."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def once(self, *words):
        environment = dict(os.environ, TESSDATA_PREFIX=self.folder.name)
        return run_once(SO, "analyze", "image=@" + sample("sample.tif"), *words, env=environment)

    def put(self, name, data):
        with open(os.path.join(self.folder.name, name), "wb") as file:
            file.write(data)

    def installed(self, name):
        path = glob.glob(f"/usr/share/tesseract-ocr/*/tessdata/{name}.traineddata")[0]
        os.symlink(path, os.path.join(self.folder.name, name + ".traineddata"))

    def test_no_language_fails_init_with_advice(self):
        done = self.once()
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"apt install tesseract-ocr-eng", done.stderr)

    def test_broken_data_fails_validate(self):
        self.put("eng.traineddata", b"not language data")
        done = self.once()
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"can't be loaded", done.stderr)

    def test_broken_data_of_another_language_is_declared(self):
        self.installed("eng")
        self.put("bad.traineddata", b"not language data")
        done = self.once("language=bad")
        self.assertEqual((done.returncode, json.loads(done.stdout)["error_type"]),
                         (5, "LanguageUnusable"))

    def test_psm_0_without_its_data_is_declared(self):
        self.installed("eng")
        done = self.once("psm=0")
        self.assertEqual((done.returncode, json.loads(done.stdout)["error_type"]),
                         (5, "UnknownLanguage"))

    def test_psm_1_without_osd_data_still_reads(self):
        self.installed("eng")
        done = self.once("psm=1")
        self.assertIn("Forge Keeper", json.loads(done.stdout)["result"]["text"])


if __name__ == "__main__":
    unittest.main()
