"""test_versions.py -- what newer Pythons, numpy 2 and pydantic 2 brought, in the interpreter that is
tested; and all tests of this folder under each interpreter of FORGESYTE_TEST_PYTHONS."""
import json
import os
import subprocess
import sys
import unittest

import fake_host
from plugin_folder import PluginTest

sys.path.insert(0, os.path.join(fake_host.ROOT, "tests", "support"))
import pythons

VERSION = pythons.version_of(fake_host.PYTHON)
FILES = ("wire", "convert", "schemas", "loading", "calls", "cancel", "styles", "guide", "words",
         "survey", "versions")
TOOL = """

class Plugin:
    tools = {"t": "t"}

    def t(self):
        return make()
"""


def since(major, minor):
    return unittest.skipUnless(VERSION >= (major, minor), f"Python before {major}.{minor}")


class VersionTest(PluginTest):
    def result(self, source):
        outcome = self.started(source + TOOL).call("t")
        self.assertIsInstance(outcome, fake_host.Result, outcome)
        return json.loads(outcome.json)


class LanguageTest(VersionTest):
    def test_annotations_that_only_a_type_checker_knows(self):
        source = """
            from typing import TYPE_CHECKING, Optional
            if TYPE_CHECKING:
                from somewhere import Frame
            class Plugin:
                tools = {"t": "t"}
                def t(self, a: int, frame: Frame = None, b: Optional[Later] = None, *,
                      data: bytes = b"") -> Frame:
                    return [a, frame, b, type(data).__name__]
            class Later:
                pass
        """
        for head in ("from __future__ import annotations\n", ""):
            if not head and VERSION < (3, 14):
                continue
            with self.subTest(head=head):
                runtime = self.started(head + source.replace("\n            ", "\n"))
                schema = json.loads(runtime.meta)["tools"][0]["input_schema"]
                self.assertEqual(schema["required"], ["a"])
                self.assertEqual(schema["properties"]["a"], {"type": "integer"})
                self.assertEqual(schema["properties"]["data"]["contentEncoding"], "base64")
                self.assertEqual(json.loads(runtime.call("t", '{"a":1}').json),
                                 [1, None, None, "bytes"])

    @since(3, 10)
    def test_dataclasses_with_slots_are_objects(self):
        self.assertEqual(self.result("""
import dataclasses


@dataclasses.dataclass(slots=True, frozen=True, kw_only=True)
class Box:
    x: int
    y: float = 1.5


def make():
    return [Box(x=1), {"b": Box(x=2, y=3)}]
"""), [{"x": 1, "y": 1.5}, {"b": {"x": 2, "y": 3}}])

    @since(3, 11)
    def test_str_enums_and_flags_are_their_values(self):
        self.assertEqual(self.result("""
import enum


class Team(enum.StrEnum):
    HOME = enum.auto()


class Mark(enum.Flag):
    A = 1
    B = 2


def make():
    return [Team.HOME, {Team.HOME: 1}, Mark.A | Mark.B]
"""), ["home", {"home": 1}, 3])

    @since(3, 12)
    def test_classes_and_functions_of_the_newer_syntax(self):
        self.assertEqual(self.result("""
import dataclasses

type Pair = tuple[int, int]


@dataclasses.dataclass
class Holder[T]:
    held: T


def first[T](of: list[T]) -> T:
    return of[0]


def make():
    return [Holder(first([1])), f"{'a' + "b"}"]
"""), [{"held": 1}, "ab"])

    @since(3, 14)
    def test_template_strings_and_lazy_annotations(self):
        self.assertEqual(self.result("""
import dataclasses


@dataclasses.dataclass
class Node:
    children: list[Node] = dataclasses.field(default_factory=list)


def make():
    return [Node([Node()]), t"a{1}".strings[0]]
"""), [{"children": [{"children": []}]}, "a"])

    def test_processes_of_its_own_start_in_the_versions_own_way(self):
        method, doubled = self.result("""
import concurrent.futures
import multiprocessing


def double(x):
    return 2 * x


def make():
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        return [multiprocessing.get_start_method(), list(pool.map(double, [1, 2]))]
""")
        self.assertEqual(doubled, [2, 4])
        self.assertEqual(method, "forkserver" if VERSION >= (3, 14) else "fork")


def has(module, least):
    """Does the interpreter that is tested have it, in this version or a later one?"""
    text = f"import {module}; print({module}.__version__.partition('.')[0])"
    done = subprocess.run([fake_host.PYTHON, "-c", text], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    return done.returncode == 0 and int(done.stdout) >= least


class NumpyTest(VersionTest):
    def setUp(self):
        if not has("numpy", 1):
            self.skipTest("the interpreter has no numpy")

    def test_scalars_are_plain_values(self):
        self.assertEqual(self.result("""
import numpy as np


def make():
    return [np.float64(1.5), np.float32(0.5), np.float16(2), np.bool_(True), np.int8(-3),
            np.uint64(2**62), np.str_("x"), np.float64("nan"), np.longdouble(1.25),
            {np.int64(3): 1, np.str_("k"): 2, np.float64(1.5): 3, np.bool_(False): 4}]
"""), [1.5, 0.5, 2, True, -3, 2**62, "x", None, 1.25, {"3": 1, "k": 2, "1.5": 3, "false": 4}])

    def test_times_of_every_unit_are_iso_8601(self):
        self.assertEqual(self.result("""
import numpy as np


def make():
    fine = np.datetime64("2024-01-02T03:04:05.123456789")
    return [np.datetime64("2024-01-02"), fine, np.datetime64("2024-01-02T03:04:05", "s"),
            np.datetime64("NaT"), np.array([fine, "NaT"], "datetime64[ns]"),
            np.array(["2024-01-02"], "datetime64[D]"),
            np.timedelta64(5, "s"), np.timedelta64(1500, "ms"), np.timedelta64(1500000001, "ns"),
            np.array([2500, 0], "timedelta64[ns]"), np.timedelta64("NaT")]
"""), ["2024-01-02", "2024-01-02T03:04:05.123456789", "2024-01-02T03:04:05", None,
             ["2024-01-02T03:04:05.123456789", None], ["2024-01-02"], 5.0, 1.5, 1.500000001,
             [2.5e-06, 0.0], None])

    def test_arrays_are_nested_lists(self):
        self.assertEqual(self.result("""
import numpy as np


def make():
    return [np.array([[1, 2], [3, 4]])[:, ::-1], np.array(3.5), np.zeros((2, 0)),
            np.array([True, False]), np.array(["a", "bc"]), np.array([{"a": 1}, None], dtype=object),
            np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]), np.ma.array([1, 2], mask=[0, 1])]
"""), [[[2, 1], [4, 3]], 3.5, [[], []], [True, False], ["a", "bc"], [{"a": 1}, None],
             [[1, 2.5]], [1, None]])

    def test_texts_of_numpy_2_are_texts(self):
        if not has("numpy", 2):
            self.skipTest("the interpreter has no numpy 2")
        self.assertEqual(self.result("""
import numpy as np


def make():
    return [np.array(["a", "longer"], dtype=np.dtypes.StringDType()),
            np.array(["a", np.nan], dtype=np.dtypes.StringDType(na_object=np.nan))]
"""), [["a", "longer"], ["a", None]])


class PydanticTest(VersionTest):
    def test_models_of_pydantic_2_are_objects(self):
        if not has("pydantic", 2):
            self.skipTest("the interpreter has no pydantic 2")
        self.assertEqual(self.result("""
import datetime
import enum
import typing

import pydantic


class Team(enum.Enum):
    HOME = "home"


class Player(pydantic.BaseModel):
    team: Team
    when: datetime.datetime
    label: str = pydantic.Field("x", serialization_alias="Label")

    @pydantic.computed_field
    @property
    def area(self) -> int:
        return 3


class Players(pydantic.RootModel[typing.List[Player]]):
    pass


@pydantic.dataclasses.dataclass
class Box:
    x: int


def make():
    player = Player(team=Team.HOME, when=datetime.datetime(2024, 1, 2))
    return [player, Players([player]), Box(1)]
"""), [player := {"team": "home", "when": "2024-01-02T00:00:00", "label": "x", "area": 3}, [player],
             {"x": 1}])


class OtherInterpretersTest(unittest.TestCase):
    def test_all_of_this_under_each_interpreter_that_is_named(self):
        named = pythons.named()
        if not named:
            self.skipTest("FORGESYTE_TEST_PYTHONS names none")
        runner = os.path.join(fake_host.ROOT, "tests", "support", "tap_unittest.py")
        for python in named:
            env = {**os.environ, "FORGESYTE_TEST_PYTHON": python, "FORGESYTE_TEST_PYTHONS": ""}
            for name in FILES:
                with self.subTest(python=python, file=name):
                    path = os.path.join(fake_host.HERE, f"test_{name}.py")
                    done = subprocess.run([python, "-B", runner, path], env=env, check=False,
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          text=True)
                    self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
