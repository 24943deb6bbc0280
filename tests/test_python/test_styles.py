"""test_styles.py -- plugins as they were written for the ForgeSyte server work as they are."""
import ast
import json
import os
import subprocess
import sys
import unittest

import fake_host
from fake_host import Error
from plugin_folder import PluginTest

try:
    import pydantic
except ImportError:
    pydantic = None

NO_PYDANTIC = "import sys; sys.modules['pydantic'] = None\n"


def tools_of(runtime):
    return {tool["name"]: tool for tool in json.loads(runtime.meta)["tools"]}


class StylesTest(PluginTest):
    def test_the_older_shape_is_one_tool(self):
        runtime = self.started(self.named("older"))
        tool, = json.loads(runtime.meta)["tools"]
        self.assertEqual(tool, {"name": "analyze", "input_schema": {
            "type": "object", "required": ["image_bytes"], "properties": {
                "image_bytes": {"type": "string", "contentEncoding": "base64"},
                "options": {"type": "object"}}}})
        result = runtime.call("analyze", '{"options":{"b":1},"a":2}', ("image_bytes", "", b"abc"))
        self.assertEqual(json.loads(result.json), {
            "text": "3 [('a', 2), ('b', 1)]", "blocks": [], "confidence": 1.0, "language": None,
            "error": None})
        error = runtime.call("analyze", '{"options":{"confidence":2}}', ("image_bytes", "", b""))
        self.assertEqual((error.kind, error.type), (1, "ValidationError"))
        self.assertIn("confidence", error.text)
        self.assertEqual(runtime.call("analyze").type, "InvalidArguments")
        self.assertEqual(runtime.shutdown(), 0)
        self.assertIn("metadata(): NameError", runtime.log())
        self.assertIn("INFO plugin: loaded", runtime.log())
        self.assertIn("INFO plugin: unloaded", runtime.log())

    def test_the_older_shape_with_metadata_that_works(self):
        runtime = self.started("""
            from app.models import PluginMetadata
            from app.plugins.base import BasePlugin
            class Plugin(BasePlugin):
                name = "p"
                def metadata(self):
                    return PluginMetadata(name="p", description="Says so.", config_schema={
                        "threshold": {"type": "float", "default": 25.0, "min": 1, "max": 100},
                        "size": {"type": "integer"}})
                def analyze(self, image):
                    return {"size": len(image)}
        """)
        tool, = json.loads(runtime.meta)["tools"]
        self.assertEqual(tool["description"], "Says so.")
        self.assertEqual(tool["input_schema"]["properties"]["options"], {
            "type": "object", "properties": {
                "threshold": {"type": "number", "default": 25.0, "minimum": 1, "maximum": 100},
                "size": {"type": "integer"}}})
        self.assertEqual(runtime.call("analyze", "{}", ("image_bytes", "", b"ab")).json,
                         '{"size":2}')

    def test_tools_on_the_class_with_a_run_tool_of_its_own(self):
        runtime = self.started(self.named("tracker"))
        tools = tools_of(runtime)
        self.assertEqual(tools["detect"]["input_schema"], {
            "type": "object", "required": ["frame_base64"], "properties": {
                "frame_base64": {"type": "string"}, "device": {"type": "string", "default": "cpu"},
                "annotated": {"type": "boolean", "default": False}}})
        self.assertNotIn("output_schema", tools["detect"])
        self.assertEqual(tools["track_video"]["input_schema"], {
            "type": "object", "required": ["video_path"], "properties": {
                "video_path": {"type": "string", "contentEncoding": "base64"},
                "device": {"type": "string"}}})
        self.assertEqual(runtime.call("detect", '{"frame_base64":"YWJj"}').json,
                         '{"size":3,"device":"cpu"}')
        result = runtime.call("track_video", "{}", ("video_path", "video/mp4", b"12345"))
        self.assertEqual(json.loads(result.json), {"frames": [5], "device": "cpu"})
        self.assertEqual(runtime.progress, [(1, 2)])

    def test_tools_that_are_callables(self):
        runtime = self.started("""
            from app.plugins.base import BasePlugin
            class Plugin(BasePlugin):
                name = "p"
                def __init__(self):
                    self.tools = {"detect": self.detect}
                    super().__init__()
                def run_tool(self, tool_name, args):
                    return self.tools[tool_name](**args)
                async def detect(self, image_base64: str):
                    return image_base64
        """)
        self.assertEqual(runtime.call("detect", '{"image_base64":"x"}').json, '"x"')
        self.assertIsInstance(runtime.call("detect", '{"other":"x"}'), Error)

    def test_a_class_without_base_plugin_whose_handlers_are_functions_of_the_class(self):
        runtime = self.started("""
            class Plugin:
                def detect(self, size: int = 5):
                    return size
                tools = {"detect": detect, "shout": {"handler": lambda text: text.upper(),
                                                     "description": "Loud."}}
        """)
        self.assertEqual(runtime.call("detect").json, "5")
        self.assertEqual(runtime.call("shout", '{"text":"a"}').json, '"A"')

    def test_tools_that_only_the_manifest_lists_are_methods(self):
        runtime = self.started("""
            class Plugin:
                name = "p"
                def detect(self, size=5, progress_callback=None):
                    progress_callback(1, 1)
                    return size
        """)
        self.assertEqual(json.loads(runtime.meta), {"tools": []})
        self.assertEqual(runtime.call("detect", '{"size":3}').json, "3")
        self.assertEqual(runtime.progress, [(1, 1)])

    def test_default_run_tool_of_base_plugin(self):
        runtime = self.started("""
            import forgesyte
            class Plugin(forgesyte.BasePlugin):
                name = "p"
                tools = {"one": "one", "both": "both"}
                def one(self, a):
                    return a + 1
                def both(self):
                    return self.run_tool("one", {"a": 1}) + self.run_tool("one", {"a": 2})
        """)
        self.assertEqual(runtime.call("both").json, "5")

    def test_results_that_are_models(self):
        for head in ("", NO_PYDANTIC):
            runtime = self.started(head + """
from app.models import AnalysisResult
class Result(AnalysisResult):
    frames: int = 0
class Plugin:
    tools = {"t": "t"}
    def t(self):
        return {"r": [Result(text="a", confidence=1, frames=2)]}
""")
            self.assertEqual(json.loads(runtime.call("t").json)["r"], [
                {"text": "a", "blocks": [], "confidence": 1.0, "language": None, "error": None,
                 "frames": 2}])


MODELS = """
import sys
HEAD
from app.models import AnalysisResult, PluginMetadata
r = AnalysisResult(text="a", confidence="0.5", blocks=[{"x": 1}], unknown=1)
assert (r.text, r.confidence, r.blocks, r.language) == ("a", 0.5, [{"x": 1}], None), r
assert r.dict() == {"text": "a", "blocks": [{"x": 1}], "confidence": 0.5, "language": None,
                    "error": None}, r.dict()
assert "0.5" in (r.json())
assert r == AnalysisResult(text="a", confidence=0.5, blocks=[{"x": 1}])
m = PluginMetadata(name="n", description="d")
assert (m.version, m.inputs, m.outputs, m.permissions) == ("1.0.0", ["image"], ["json"], [])
m.inputs.append("x")
assert PluginMetadata(name="n", description="d").inputs == ["image"]
for cls, values in ((AnalysisResult, {}), (AnalysisResult, {"text": "a"}),
                    (AnalysisResult, {"text": "a", "confidence": 1.5}),
                    (AnalysisResult, {"text": "a", "confidence": -0.5}),
                    (AnalysisResult, {"text": "a", "confidence": "x"}),
                    (AnalysisResult, {"text": None, "confidence": 1}),
                    (AnalysisResult, {"text": "a", "confidence": 1, "blocks": "x"}),
                    (AnalysisResult, {"text": "a", "confidence": 1, "blocks": ["x"]}),
                    (PluginMetadata, {"name": "n"}), (PluginMetadata, {"description": "n"}),
                    (PluginMetadata, {"name": "", "description": "d"}),
                    (PluginMetadata, {"name": " ", "description": "d"}),
                    (PluginMetadata, {"name": "n", "description": "d", "inputs": 3})):
    try:
        made = cls(**values)
    except ValueError as e:
        assert str(e)
    else:
        raise SystemExit(f"{made!r} was accepted")
"""

FORWARD = """
import sys
import typing
from typing import Dict, List, Optional
HEAD
from app.models import BaseModel


class Node(BaseModel):
    name: str
    children: List["Node"] = []
    later: Optional["Later"] = None


class Special(Node):
    twin: Optional["Special"] = None


if hasattr(Node, "update_forward_refs"):  # pydantic wants to be told
    class Later(BaseModel):
        x: List[float]
    for model in (Node, Special):
        model.model_rebuild() if hasattr(model, "model_rebuild") else model.update_forward_refs()
leaf = Node(name="b")
tree = Node(name="a", children=[leaf])
assert (tree.children, tree.later) == ([leaf], None), tree
dump = lambda model: model.model_dump() if hasattr(model, "model_dump") else model.dict()
assert dump(tree)["children"] == [{"name": "b", "children": [], "later": None}], dump(tree)
assert Special(name="s", twin=Special(name="t")).twin.name == "t"
for cls in (Node, Special):
    for values in ({"name": "a", "children": "x"}, {"name": 3.5j}, {"children": []}):
        try:
            made = cls(**values)
        except ValueError:
            continue
        raise SystemExit(f"{made!r} was accepted")


def inside():
    class Local(BaseModel):
        next: Optional["Local"] = None
        items: "List[Local]" = []

    return Local


Local = None
made = inside()()
assert made.next is None
"""


class ModelsTest(unittest.TestCase):
    def run_with(self, head):
        for script in (MODELS, FORWARD):
            subprocess.run([fake_host.PYTHON, "-c", script.replace("HEAD", head)], check=True,
                           env={**os.environ, "PYTHONPATH": fake_host.LIBDIR})

    def test_models_without_pydantic(self):
        self.run_with(NO_PYDANTIC)

    @unittest.skipUnless(pydantic, "python3-pydantic is not installed")
    def test_models_with_pydantic(self):
        self.run_with("")


class OutsideTest(unittest.TestCase):
    def test_plugins_can_be_tested_without_a_host(self):
        script = """
import forgesyte
forgesyte.progress(1, 2)
forgesyte.log("to stderr", level="warning")
assert forgesyte.cancelled() is False and forgesyte.plugin_dir() == "."
class P(forgesyte.BasePlugin):
    name = "p"
    tools = {"t": "t"}
    def t(self, a):
        return a
assert P().run_tool("t", {"a": 1}) == 1
"""
        done = subprocess.run([fake_host.PYTHON, "-c", script], check=True, stderr=subprocess.PIPE,
                              env={**os.environ, "PYTHONPATH": fake_host.LIBDIR})
        self.assertEqual(done.stderr, b"to stderr\n")


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


class SourceTest(unittest.TestCase):
    def test_the_runtime_is_python_3_9_and_imports_nothing_else(self):
        known = getattr(sys, "stdlib_module_names", None)
        for folder, _, files in os.walk(fake_host.LIBDIR):
            for file in (f for f in files if f.endswith(".py")):
                with open(os.path.join(folder, file), encoding="utf-8") as f:
                    tree = ast.parse(f.read(), file, feature_version=(3, 9))
                self.assertTrue(ast.get_docstring(tree), f"{file} says what it is for")
                for name in imports(tree):
                    top = name.partition(".")[0]
                    self.assertTrue(top in ("forgesyte", "forgesyte_worker")
                                    or known is None or top in known
                                    or (file, top) in (("models.py", "pydantic"),
                                                       ("_model.py", "annotationlib"),
                                                       ("toolbox.py", "annotationlib")),
                                    (file, name))


if __name__ == "__main__":
    unittest.main()
