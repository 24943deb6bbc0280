"""test_python_results.py -- what Python tools take and give over HTTP: arguments, answers, progress."""
import base64
import unittest

from python_case import PythonCase


class Results(PythonCase):
    def test_what_is_not_json_names_its_place(self):
        self.start("def broken():\n    return {'boxes': [{}, {}, {}, {'mask': {1, 2}}]}\n")
        self.assert_broke(self.host.run("p", "broken"), "InvalidOutput",
                          "result.boxes[3].mask: set is not JSON")

    def test_a_result_that_contains_itself_is_told(self):
        self.start("def broken():\n    x = []\n    x.append(x)\n    return {'x': x}\n")
        self.assert_broke(self.host.run("p", "broken"), "InvalidOutput", "contains itself")

    def test_a_forgotten_await_is_told(self):
        self.start("async def inner():\n    return 1\n\n\ndef broken():\n    return {'x': inner()}\n")
        self.assert_broke(self.host.run("p", "broken"), "InvalidOutput", "result.x", "await")

    def test_a_lone_surrogate_names_its_place(self):
        self.start("def broken():\n    return {'text': 'a\\ud800'}\n")
        self.assert_broke(self.host.run("p", "broken"), "InvalidOutput", "result.text", "surrogate")

    def test_a_number_too_large_names_its_place(self):
        self.start("def broken():\n    return [1, 2 ** 64]\n")
        self.assert_broke(self.host.run("p", "broken"), "InvalidOutput", "result[1]", "64")

    def test_what_is_no_number_becomes_null(self):
        self.start("def odd():\n    return [float('nan'), float('inf'), -float('inf'), 1.5]\n")
        self.assertEqual(self.host.run("p", "odd").result, [None, None, None, 1.5])

    def test_nothing_and_scalars_are_answers(self):
        self.start("def none():\n    pass\n\n\ndef text():\n    return 'ü'\n\n\n"
                   "def false():\n    return False\n")
        self.assertEqual([self.host.run("p", tool).result for tool in ("none", "text", "false")],
                         [None, "ü", False])

    def test_an_answer_over_the_limit_is_too_large(self):
        self.start("def broken():\n    return 'x' * (3 << 20)\n", "--max-output", "1M")
        self.assert_broke(self.host.run("p", "broken"), "OutputTooLarge")

    def test_an_answer_of_20_megabytes_passes(self):
        self.start("def large():\n    return {'text': 'x' * (20 << 20)}\n")
        self.assertEqual(len(self.host.run("p", "large").result["text"]), 20 << 20)

    def test_bytes_come_back_with_their_type(self):
        self.start("import forgesyte\n\n\ndef crop():\n    return {'n': 1, 'image': "
                   "forgesyte.Bytes(b'GIF89a' + bytes(10), 'image/gif')}\n")
        result = self.host.run("p", "crop").result
        self.assertEqual((result["n"], result["image"]["content_type"]), (1, "image/gif"))
        self.assertEqual(base64.b64decode(result["image"]["base64"]), b"GIF89a" + bytes(10))

    def test_many_types_become_json(self):
        self.start("""
import dataclasses, datetime, decimal, enum, pathlib, uuid


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Box:
    x: int
    colour: Colour


def types():
    return {"box": Box(1, Colour.RED), "day": datetime.date(2026, 1, 2), "path": pathlib.Path("/x"),
            "id": uuid.UUID(int=0), "list": (1, 2), "span": datetime.timedelta(seconds=1.5),
            "deep": {"bytes": b"ab"}, 1: "one"}
""")
        self.assertEqual(self.host.run("p", "types").result, {
            "box": {"x": 1, "colour": "red"}, "day": "2026-01-02", "path": "/x",
            "id": "00000000-0000-0000-0000-000000000000", "list": [1, 2], "span": 1.5,
            "deep": {"bytes": "YWI="}, "1": "one"})

    def test_an_output_schema_of_the_manifest_is_held_to(self):
        self.start("def broken():\n    return {'n': 'three'}\n", tools=[
            {"name": "broken", "output_schema": {"type": "object", "properties":
                                                 {"n": {"type": "integer"}}}}])
        self.assert_broke(self.host.run("p", "broken"), "InvalidOutput", "/n")

    def test_an_async_tool_answers_and_its_loop_lives_on(self):
        self.start("import asyncio\n\nloops = set()\n\n\nasync def wait(ms: int):\n"
                   "    await asyncio.sleep(ms / 1000)\n    loops.add(id(asyncio.get_running_loop()))\n"
                   "    return len(loops)\n")
        self.assertEqual([self.host.run("p", "wait", {"ms": 5}).result for _ in range(2)], [1, 1])


class Arguments(PythonCase):
    IMAGE = ("def size(image_bytes: bytes, times: int = 1, label: str = ''):\n"
             "    return {'n': len(image_bytes) * times, 'type': type(image_bytes).__name__,\n"
             "            'label': label}\n")

    def test_bytes_arrive_as_bytes_whichever_way_they_came(self):
        self.start(self.IMAGE)
        path, data = "/v1/plugins/p/tools/size/run", bytes(range(256)) * 40
        encoded = base64.b64encode(data).decode()
        self.assertEqual(self.host.run("p", "size", {"image_bytes": encoded, "times": 2}).result,
                         {"n": 20480, "type": "bytes", "label": ""})
        raw = self.host.request("POST", path + "?label=x", data, {"Content-Type": "image/png"})
        self.assertEqual(raw.result, {"n": 10240, "type": "bytes", "label": "x"})
        parts = (b"--b\r\nContent-Disposition: form-data; name=\"times\"\r\n\r\n3\r\n--b\r\n"
                 b"Content-Disposition: form-data; name=\"image_bytes\"; filename=\"a.png\"\r\n"
                 b"Content-Type: image/png\r\n\r\n" + data + b"\r\n--b--\r\n")
        form = self.host.request("POST", path, parts,
                                 {"Content-Type": "multipart/form-data; boundary=b"})
        self.assertEqual(form.result["n"], 30720)

    def test_a_frame_of_six_megabytes_arrives_whole(self):
        self.start("import hashlib\n\n\ndef digest(image_bytes: bytes):\n"
                   "    return hashlib.sha256(image_bytes).hexdigest()\n")
        import hashlib
        data = bytes(range(256)) * (6 << 12)
        answer = self.host.request("POST", "/v1/plugins/p/tools/digest/run", data,
                                   {"Content-Type": "image/raw"})
        self.assertEqual(answer.result, hashlib.sha256(data).hexdigest())

    def test_an_uploaded_video_arrives_as_a_path_that_goes_again(self):
        self.start("import os\n\nseen = []\n\n\ndef watch(video_path: str):\n"
                   "    gone = [not os.path.exists(path) for path in seen]\n"
                   "    seen.append(video_path)\n    with open(video_path, 'rb') as f:\n"
                   "        return {'n': len(f.read()), 'gone': gone}\n")
        path = "/v1/plugins/p/tools/watch/run"
        headers = {"Content-Type": "video/mp4"}
        self.assertEqual(self.host.request("POST", path, b"x" * 1000, headers).result,
                         {"n": 1000, "gone": []})
        self.assertEqual(self.host.request("POST", path, b"y" * 10, headers).result,
                         {"n": 10, "gone": [True]})

    def test_signatures_become_schemas_that_are_held_to(self):
        self.start("def scale(factor: float, mode: str = 'fast'):\n    return [factor, mode]\n")
        self.assertEqual(self.host.run("p", "scale", {"factor": 2}).result, [2, "fast"])
        self.assert_error(self.host.run("p", "scale", {"factor": "big"}), 422, "InvalidArguments",
                          "/factor")
        self.assert_error(self.host.run("p", "scale"), 422, "InvalidArguments", "factor")
        schema = self.host.get("/v1/plugins/p/manifest").json["tools"][0]["input_schema"]
        self.assertEqual((schema["required"], schema["properties"]["mode"]["default"]),
                         (["factor"], "fast"))

    def test_a_tool_that_is_not_there_names_those_there_are(self):
        self.start("def one():\n    pass\n\n\ndef two():\n    pass\n")
        self.assert_error(self.host.run("p", "three"), 404, "ToolNotFound", "one")
        self.assert_error(self.host.run("p", "run_tool"), 404, "ToolNotFound", "two")


class Progress(PythonCase):
    TEXT = """
import time

import forgesyte


def steps(n: int = 3):
    for i in range(1, n + 1):
        forgesyte.progress(i, n)
        time.sleep(0.06)
    return n


def callback(n: int = 3, progress_callback=None):
    for i in range(1, n + 1):
        progress_callback(i, n)
        time.sleep(0.06)
    return n


def flood():
    for i in range(20000):
        forgesyte.progress(i, 20000)
    return 1
"""

    def test_progress_is_seen_in_the_events_while_the_call_runs(self):
        self.start(self.TEXT)
        for tool in ("steps", "callback"):
            with self.subTest(tool=tool):
                events = self.host.events()
                self.addCleanup(events.close)
                self.assertEqual(self.host.run("p", tool).result, 3)
                events.until(lambda event, data: event == "call")
                seen = [(data["tool"], data["done"], data["total"]) for event, data in events.seen
                        if event == "progress"]
                self.assertEqual(seen, [(tool, 1, 3), (tool, 2, 3), (tool, 3, 3)])

    def test_a_flood_of_progress_is_thinned_out(self):
        self.start(self.TEXT)
        events = self.host.events()
        self.addCleanup(events.close)
        self.assertEqual(self.host.run("p", "flood").result, 1)
        events.until(lambda event, data: event == "call")
        self.assertLess(sum(event == "progress" for event, _ in events.seen), 200)


if __name__ == "__main__":
    unittest.main()
