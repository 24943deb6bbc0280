"""test_convert.py -- results become JSON, or InvalidOutput that names the place."""
import collections
import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import sys
import unittest
import uuid

import fake_host

sys.path.insert(0, fake_host.LIBDIR)
from forgesyte import Bytes
from forgesyte_worker import convert, failures

try:
    import numpy
except ImportError:
    numpy = None
try:
    import pydantic
except ImportError:
    pydantic = None

LIMIT = 1 << 20


def encode(value, limit=LIMIT):
    return fake_host.parse_result(b"".join(bytes(p) for p in convert.encode_result(value, limit)))


def as_json(value):
    return json.loads(encode(value).json, parse_constant=lambda word: "invalid " + word)


@dataclasses.dataclass
class Box:
    x: int
    label: str = "ball"


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Named(str, enum.Enum):
    A = "a"


class ConvertTest(unittest.TestCase):
    def refused(self, value, words, type_="InvalidOutput"):
        with self.assertRaises(failures.Told) as caught:
            encode(value)
        self.assertEqual(str(caught.exception), words)
        self.assertEqual(caught.exception.type, type_)

    def test_plain_values_are_themselves(self):
        value = {"a": [1, 2.5, "ü", True, None, {"b": []}], "c": {}}
        self.assertEqual(as_json(value), value)
        for value in (None, True, 0, -1.5, "", [], "text"):
            self.assertEqual(as_json(value), value)

    def test_tuples_are_arrays_and_enums_their_values(self):
        point = collections.namedtuple("point", "x y")(1, 2)
        self.assertEqual(as_json((point, Color.RED, Level.HIGH, Named.A)), [[1, 2], "red", 3, "a"])

    def test_dates_paths_uuids_and_decimals_are_text(self):
        when = datetime.datetime(2024, 5, 6, 7, 8, tzinfo=datetime.timezone.utc)
        value = [when, when.date(), when.time(), pathlib.Path("/tmp/x"), decimal.Decimal("1.10"),
                 uuid.UUID(int=1), datetime.timedelta(minutes=1)]
        self.assertEqual(as_json(value), [
            "2024-05-06T07:08:00+00:00", "2024-05-06", "07:08:00", "/tmp/x", "1.10",
            "00000000-0000-0000-0000-000000000001", 60.0])

    def test_dataclasses_and_what_has_model_dump_are_objects(self):
        class Model:
            def model_dump(self):
                return {"box": Box(1)}

        self.assertEqual(as_json({"m": Model()}), {"m": {"box": {"x": 1, "label": "ball"}}})
        self.refused({"m": Box}, "result.m: type is not JSON")

    def test_nan_and_infinities_are_null(self):
        self.assertEqual(as_json([math.nan, math.inf, -math.inf, 1.0]), [None, None, None, 1.0])
        self.assertEqual(as_json({"a": math.nan, "n": decimal.Decimal("NaN")}),
                         {"a": None, "n": None})

    def test_a_sum_that_overflows_is_no_infinity(self):
        self.assertEqual(as_json([1e308, 1e308]), [1e308, 1e308])

    def test_keys_are_made_text_as_json_does(self):
        self.assertEqual(as_json({1: "a", False: "b", None: "c", 2.5: "d", Named.A: "e"}),
                         {"1": "a", "false": "b", "null": "c", "2.5": "d", "a": "e"})
        self.refused({"m": {(1, 2): 3}}, "result.m: its key (1, 2) is a tuple, not a string")
        self.refused({"m": {1: 2, "1": 3}}, 'result.m: two of its keys are "1"')

    def test_what_is_not_json_is_refused_with_its_place(self):
        class Plain:
            pass

        boxes = [{}, {}, {}, {"mask": {1}}]
        self.refused({"boxes": boxes}, "result.boxes[3].mask: set is not JSON (make it a list)")
        self.refused({"a b": [object()]}, 'result["a b"][0]: object is not JSON')
        self.refused(3j, "result: complex is not JSON")
        self.refused([iter(())], "result[0]: tuple_iterator is not JSON (make it a list)")
        self.refused(Plain(), "result: Plain is not JSON (a dict or a dataclass is)")
        self.refused({"f": len}, "result.f: builtin_function_or_method is not JSON")

    def test_a_forgotten_await_is_hinted_at(self):
        async def f():
            pass

        coroutine = f()
        self.refused({"x": coroutine},
                     "result.x: coroutine is not JSON (is an await missing?)")
        coroutine.close()

    def test_cycles_and_depth_are_refused(self):
        cycle = {"a": {}}
        cycle["a"]["b"] = cycle
        with self.assertRaisesRegex(failures.Told, r"^result\.a\.b\.a.*: it contains itself$"):
            encode(cycle)
        deep = []
        for _ in range(63):
            deep = [deep]
        self.assertEqual(as_json(deep), deep)
        with self.assertRaisesRegex(failures.Told, "nested more than 64 deep"):
            encode([deep])
        for _ in range(100000):
            deep = [deep]
        with self.assertRaisesRegex(failures.Told, "nested more than 64 deep"):
            encode(deep)

    def test_whole_numbers_beyond_64_bits_are_refused(self):
        self.assertEqual(as_json([2**63 - 1, -2**63]), [2**63 - 1, -2**63])
        self.refused({"n": [1, 2**63]},
                     "result.n[1]: an int of 65 bits with its sign does not fit into 64")
        self.refused(2**100, "result: an int of 102 bits with its sign does not fit into 64")

    def test_lone_surrogates_are_refused_with_their_place(self):
        words = "a text has lone surrogates, which are not Unicode"
        self.refused({"t": ["ok", "\ud800"]}, f"result.t[1]: {words}")
        self.refused("\udfff", f"result: {words}")
        with self.assertRaisesRegex(failures.Told, words):
            encode({"\ud800": 1})

    def test_nul_and_control_characters_are_escaped(self):
        self.assertEqual(as_json("\0\x1b\n\u2028"), "\0\x1b\n\u2028")

    def test_a_result_beyond_the_hosts_limit_is_too_large(self):
        self.assertEqual(len(encode("x" * (LIMIT - 2)).json), LIMIT)
        for value in ("x" * (LIMIT - 1), ["x" * 1000] * 2000, {"b": bytes(LIMIT)},
                      [{"b": bytes(LIMIT)}]):
            with self.assertRaises(failures.Told) as caught:
                encode(value)
            self.assertEqual(caught.exception.type, "OutputTooLarge")

    def test_a_small_object_with_endless_sharing_ends_soon(self):
        value = ["x"]
        for _ in range(50):
            value = [value, value]
        with self.assertRaises(failures.Told) as caught:
            encode(value)
        self.assertEqual(caught.exception.type, "OutputTooLarge")

    def test_bytes_of_the_result_travel_as_they_are(self):
        result = encode({"crop": b"\x89PNG\r\n\x1a\n123", "n": 1, "raw": bytearray(b"\0\1"),
                         "view": memoryview(b"abc"), "said": Bytes(b"%", "text/x")})
        self.assertEqual(json.loads(result.json), {"n": 1})
        self.assertEqual(result.blobs, {
            "crop": ("image/png", b"\x89PNG\r\n\x1a\n123"),
            "raw": ("application/octet-stream", b"\0\1"),
            "view": ("application/octet-stream", b"abc"), "said": ("text/x", b"%")})

    def test_deeper_bytes_are_base64(self):
        self.assertEqual(as_json({"a": [b"ab", {"b": memoryview(b"c")}]}),
                         {"a": ["YWI=", {"b": "Yw=="}]})
        self.assertEqual(as_json(b"ab"), "YWI=")

    def test_what_a_plugin_keeps_is_not_changed(self):
        kept = {"a": (1, math.nan), "b": b"x"}
        encode(kept)
        self.assertEqual(set(kept), {"a", "b"})
        self.assertIsInstance(kept["a"], tuple)


@unittest.skipUnless(numpy, "python3-numpy is not installed")
class NumpyTest(unittest.TestCase):
    def test_scalars_are_numbers(self):
        value = {"f": numpy.float32(0.5), "i": numpy.int64(3), "b": numpy.bool_(True),
                 "nan": numpy.float64("nan"), "u": numpy.uint8(255), "s": numpy.str_("x"),
                 numpy.int64(7): 1, "l": numpy.longdouble(0.5),
                 "d": numpy.datetime64("2024-05-06")}
        self.assertEqual(as_json(value), {"f": 0.5, "i": 3, "b": True, "nan": None, "u": 255,
                                          "s": "x", "7": 1, "l": 0.5, "d": "2024-05-06"})

    def test_arrays_are_arrays(self):
        value = {"a": numpy.arange(6).reshape(2, 3), "f": numpy.array([1.5, math.nan]),
                 "z": numpy.array(5), "e": numpy.zeros((0, 4)), "s": numpy.array(["x"]),
                 "o": numpy.array([{"k": numpy.int8(1)}], dtype=object),
                 "b": numpy.array([True]), "m": [numpy.float16(1)]}
        self.assertEqual(as_json(value), {
            "a": [[0, 1, 2], [3, 4, 5]], "f": [1.5, None], "z": 5, "e": [], "s": ["x"],
            "o": [{"k": 1}], "b": [True], "m": [1.0]})

    def test_what_json_lacks_is_refused(self):
        with self.assertRaisesRegex(failures.Told, r"^result\.c\[0\]: complex is not JSON$"):
            encode({"c": numpy.array([1j])})
        with self.assertRaisesRegex(failures.Told, r"^result\[0\]: an int of 65 bits"):
            encode(numpy.array([2**64 - 1], dtype=numpy.uint64))

    def test_an_array_too_large_is_refused_before_it_is_made(self):
        with self.assertRaises(failures.Told) as caught:
            encode(numpy.zeros(LIMIT, dtype=numpy.uint8))
        self.assertEqual(caught.exception.type, "OutputTooLarge")

    def test_a_frame_as_bytes_is_a_blob(self):
        frame = numpy.arange(12, dtype=numpy.uint8).reshape(3, 4)
        result = encode({"frame": frame.data, "column": frame[:, 1].data})
        self.assertEqual(result.blobs["frame"][1], bytes(range(12)))
        self.assertEqual(result.blobs["column"][1], bytes([1, 5, 9]))


@unittest.skipUnless(pydantic, "python3-pydantic is not installed")
class PydanticTest(unittest.TestCase):
    def test_models_are_objects(self):
        class Inner(pydantic.BaseModel):
            when: datetime.date
            score: float

        class Outer(pydantic.BaseModel):
            items: list

        value = Outer(items=[Inner(when="2024-05-06", score=0.5)])
        self.assertEqual(as_json({"m": value, "l": [value]})["m"],
                         {"items": [{"when": "2024-05-06", "score": 0.5}]})


if __name__ == "__main__":
    unittest.main()
