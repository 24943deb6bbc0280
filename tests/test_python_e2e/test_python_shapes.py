"""test_python_shapes.py -- Python plugins as people write them: both shapes, ForgeSyte's own folders,
several instances, changed code, and numpy in each of the situations a box may be in."""
import base64
import json
import os
import subprocess
import unittest

from host import FORGESYTE, environment, need_nobody, need_root
from python_case import PYTHON, PythonCase, functions

OLDER = """
import logging

from app.models import AnalysisResult, PluginMetadata

logger = logging.getLogger(__name__)


class Plugin:
    name = "brightness"
    version = "1.0.0"

    def metadata(self):
        return PluginMetadata(name=self.name, description="How bright it is", version=self.version,
                              inputs=["image"], outputs=["text"],
                              config_schema={"scale": {"type": "integer", "default": 1, "min": 1}})

    def analyze(self, image_bytes: bytes, options=None):
        options = options or {}
        if not image_bytes:
            return AnalysisResult(text="", confidence=0.0, error="no image")
        mean = sum(image_bytes) / len(image_bytes) * options.get("scale", 1)
        return AnalysisResult(text=f"{mean:.1f}", blocks=[{"mean": mean}], confidence=1.0)

    def on_load(self):
        logger.info("ready to look")

    def on_unload(self):
        logger.info("good bye")
"""
NEWER = """
from app.plugins.base import BasePlugin

from forgesyte_shapes.engine import shout


class Plugin(BasePlugin):
    name = "shapes"

    def __init__(self):
        self.tools = {
            "shout": {"description": "Shouts", "handler": "shout",
                      "input_schema": {"text": "string", "times": "integer?"},
                      "output_schema": {"text": "string"}},
            "size": {"description": "Measures", "handler": self.size,
                     "input_schema": {"image_bytes": "string"}, "output_schema": {}},
            "decoded": {"description": "Decodes", "handler": "decoded",
                        "input_schema": {"image_base64": "string"}, "output_schema": {}},
            "later": {"description": "Waits", "handler": "later", "input_schema": {},
                      "output_schema": {}},
        }
        super().__init__()

    def shout(self, text, times=1):
        return {"text": shout(text) * times}

    def size(self, image_bytes):
        return {"n": len(image_bytes)}

    def decoded(self, image_base64):
        import base64
        return {"n": len(base64.b64decode(image_base64))}

    async def later(self):
        return {"later": True}

    def run_tool(self, tool_name, args):
        return super().run_tool(tool_name, args)

    def validate(self):
        if not self.tools:
            raise RuntimeError("no tools")
"""
TEMPLATE = """
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.models import AnalysisResult


class Plugin:
    name = "p"

    def analyze(self, image_bytes: bytes, options=None) -> "AnalysisResult":
        return AnalysisResult(text="", confidence=0.0)
"""


class Shapes(PythonCase):
    def test_the_older_shape_is_one_tool_that_analyzes(self):
        health = self.load(OLDER)
        self.assertEqual(health["state"], "INITIALIZED", health["reason"])
        image = base64.b64encode(bytes([10, 20, 30])).decode()
        result = self.host.run("p", "analyze", {"image_bytes": image,
                                                "options": {"scale": 2}}).result
        self.assertEqual(result, {"text": "40.0", "blocks": [{"mean": 40.0}], "confidence": 1.0,
                                  "language": None, "error": None})
        raw = self.host.request("POST", "/v1/plugins/p/tools/analyze/run", bytes([10, 20, 30]),
                                {"Content-Type": "image/png"})
        self.assertEqual(raw.result["text"], "20.0")
        self.assertIn("ready to look", self.log())
        self.assert_error(self.host.run("p", "analyze"), 422, "InvalidArguments", "image_bytes")

    def test_a_name_that_only_a_type_checker_knows_is_told(self):
        """A mistake that ForgeSyte's template invites."""
        self.assertEqual(self.load(TEMPLATE)["state"], "INITIALIZED")
        self.assert_broke(self.host.run("p", "analyze", {"image_bytes": "QUJD"}), "NameError",
                          "name 'AnalysisResult' is not defined")

    def test_a_wrong_result_of_the_older_shape_names_the_field(self):
        self.load(OLDER.replace("confidence=1.0", "confidence=7"))
        answer = self.host.run("p", "analyze", {"image_bytes": "QUJD"})
        self.assert_broke(answer, "ValidationError", "confidence")

    def test_leaving_is_told_to_the_plugin(self):
        self.load(OLDER)
        self.host.post("/v1/plugins/p/reload")
        self.assertIn("good bye", self.log())

    def checkout(self, layout):
        """ForgeSyte's own: manifest.json beside plugin.py in the package, or above src/."""
        package = {"package": "", "src": "src/forgesyte_shapes/", "flat": "forgesyte_shapes/"}[layout]
        name = "forgesyte_shapes" if layout == "package" else "checkout"
        folder = os.path.join(self.plugins, name)
        manifest = {"id": "shapes", "name": "Shapes", "version": "1.0.0", "author": "Roger",
                    "license": "MIT", "description": "Shouts and measures",
                    "entrypoint": "forgesyte_shapes.plugin", "type": "ocr",
                    "capabilities": ["shouting"],
                    "tools": [{"id": "shout", "title": "Shout", "input_types": ["text"],
                               "inputs": {"text": "string", "times": "integer?"},
                               "outputs": {"text": "string"}},
                              {"id": "size", "inputs": {"image_bytes": "string"},
                               "outputs": {"n": "integer"}},
                              {"id": "decoded", "inputs": {"image_base64": "string"},
                               "outputs": {"n": "integer"}},
                              {"id": "later", "inputs": {}, "outputs": {}}]}
        for path, text in (("manifest.json", json.dumps(manifest)), (package + "plugin.py", NEWER),
                           (package + "__init__.py", ""),
                           (package + "engine.py", "def shout(text):\n    return text.upper()\n"),
                           ("tests/test_plugin.py", "raise ValueError\n"),
                           ("pyproject.toml", "[project]\nname = 'forgesyte-shapes'\n")):
            path = os.path.join(folder, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        for parent, _, _ in os.walk(folder):
            os.chmod(parent, 0o755)

    def test_forgesytes_own_folders_load_as_they_are(self):
        for layout in ("package", "src", "flat"):
            with self.subTest(layout=layout):
                for name in os.listdir(self.plugins):
                    subprocess.run(["rm", "-r", os.path.join(self.plugins, name)], check=True)
                self.checkout(layout)
                host = self.serve()
                health = host.health("shapes")
                self.assertEqual(health["state"], "INITIALIZED", health["reason"])
                self.assertEqual(host.run("shapes", "shout", {"text": "ü"}).result, {"text": "Ü"})
                self.assertEqual(host.run("shapes", "shout", {"text": "a", "times": 3}).result,
                                 {"text": "AAA"})
                self.assertEqual(host.run("shapes", "size", {"image_bytes": "QUJD"}).result, {"n": 3})
                self.assertEqual(host.run("shapes", "decoded", {"image_base64": "QUJD"}).result,
                                 {"n": 3})
                self.assertEqual(host.run("shapes", "later").result, {"later": True})
                self.assert_error(host.run("shapes", "shout"), 422, "InvalidArguments", "text")
                self.assertEqual(host.stop(), 0)

    def test_a_plugin_that_only_looks_like_one_works(self):
        """No base class, tools as plain callables on the class."""
        health = self.load("def double(x: int):\n    return x * 2\n\n\nclass Plugin:\n"
                           "    name = 'p'\n    tools = {'double': double}\n")
        self.assertEqual(health["state"], "INITIALIZED", health["reason"])
        self.assertEqual(self.host.run("p", "double", {"x": 4}).result, 8)


class Instances(PythonCase):
    TEXT = "import os, time\n\n\ndef wait(ms: int):\n    time.sleep(ms / 1000)\n    return os.getpid()\n"

    def test_two_instances_run_two_calls_at_once(self):
        self.start(self.TEXT, limits={"instances": 2})
        self.assertEqual(len(self.host.wait_health("p", lambda h: len(h["instances"]) == 2)
                             ["instances"]), 2)
        calls = [self.host.begin("p", "wait", {"ms": 1500}) for _ in range(2)]
        self.host.wait_health("p", lambda h: h["in_flight"] == 2)
        answers = [call.join() for call in calls]
        self.assertEqual({answer.status for answer in answers}, {200})
        self.assertLess(max(answer.ms for answer in answers), 2900)

    def test_reload_takes_changed_code_and_calls_in_flight_end(self):
        self.start("def which():\n    return 1\n" + self.TEXT)
        self.assertEqual(self.host.run("p", "which").result, 1)
        call = self.host.begin("p", "wait", {"ms": 700})
        self.host.wait_health("p", lambda h: h["in_flight"] == 1)
        self.python_plugin(functions("def which():\n    return 2\n" + self.TEXT))
        health = self.host.post("/v1/plugins/p/reload").json
        self.assertEqual((health["state"], health["generation"]), ("INITIALIZED", 2))
        self.assertEqual(self.host.run("p", "which").result, 2)
        self.assertEqual(call.join().status, 200)

    def test_a_reload_to_broken_code_fails_and_back_again_mends(self):
        self.start("def which():\n    return 1\n")
        self.python_plugin("def which(:\n")
        self.assertEqual(self.host.post("/v1/plugins/p/reload").json["state"], "FAILED")
        self.python_plugin(functions("def which():\n    return 3\n"))
        self.assertEqual(self.host.post("/v1/plugins/p/reload").json["state"], "INITIALIZED")
        self.assertEqual(self.host.run("p", "which").result, 3)

    def test_nothing_is_written_into_the_plugins_folder(self):
        folder = self.python_plugin(functions("import helper\n\n\ndef well():\n    return 1\n"),
                                    files=[("helper.py", "")])
        before = sorted(os.listdir(folder))
        self.host = self.serve()
        self.assertEqual(self.host.run("p", "well").result, 1)
        self.assertEqual(sorted(os.listdir(folder)), before)


@unittest.skipUnless(subprocess.run([PYTHON, "-c", "import numpy"], stderr=subprocess.DEVNULL,
                                    check=False).returncode == 0, "needs python3-numpy")
class Numpy(PythonCase):
    TEXT = """
import numpy


def total(image_bytes: bytes):
    frame = numpy.frombuffer(image_bytes, dtype=numpy.uint8)
    return {"sum": frame.sum(dtype=numpy.int64), "mean": frame.mean(), "head": frame[:3],
            "shape": frame.shape, "nan": numpy.float32("nan")}


def product(n: int):
    a = numpy.ones((n, n))
    return float((a @ a).sum())
"""

    def check(self, *levels, **options):
        self.python_plugin(functions(self.TEXT), limits={"memory_mb": 512}, dependencies=["numpy"])
        self.host = self.serve(**options)
        health = self.host.health("p")
        self.assertEqual(health["state"], "INITIALIZED", health["reason"])
        self.assertIn(health["isolation"]["level"], levels)
        frame = bytes(range(256)) * 4096
        answer = self.host.request("POST", "/v1/plugins/p/tools/total/run", frame,
                                   {"Content-Type": "image/raw"})
        self.assertEqual(answer.result, {"sum": sum(range(256)) * 4096, "mean": 127.5,
                                         "head": [0, 1, 2], "shape": [1 << 20], "nan": None})
        self.assertEqual(self.host.run("p", "product", {"n": 200}).result, 200.0 ** 3)

    @need_root
    def test_as_root(self):
        self.check("full", "namespaces", "filtered")

    @need_nobody
    def test_as_an_ordinary_user(self):
        self.check("full", "namespaces", "filtered", as_nobody=True)

    @need_nobody
    def test_as_an_ordinary_user_without_namespaces(self):
        self.check("filtered", as_nobody=True, env={"FORGESYTE_FAKE_MISSING": "userns"})

    def test_without_cgroups(self):
        self.check("full", "namespaces", "filtered", env={"FORGESYTE_FAKE_MISSING": "cgroup"})


class CommandLine(PythonCase):
    def forgesyte(self, *words):
        done = subprocess.run([FORGESYTE, *words], env=environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def test_run_runs_a_tool_without_a_host(self):
        self.python_plugin(functions("def double(x: int):\n    return x * 2\n"))
        self.assertEqual(self.forgesyte("run", "--plugins", self.plugins, "p", "double", "x=4")[:2],
                         (0, "8\n"))

    def test_check_says_what_to_install(self):
        self.python_plugin(functions(""), dependencies=["no_such_module_7"])
        code, out, err = self.forgesyte("check", os.path.join(self.plugins, "p"))
        self.assertNotEqual(code, 0)
        self.assertIn("pip install no_such_module_7", out + err)


if __name__ == "__main__":
    unittest.main()
