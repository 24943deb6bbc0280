"""test_loading.py -- entry points, what a plugin finds, and the truth about failures of loading."""
import json
import unittest

import fake_host
from fake_host import CALL, INIT, LOAD, SHUTDOWN, VALIDATE, Died, Runtime
from plugin_folder import PluginTest

CLASS = """
class Plugin:
    name = "p"
    tools = {"who": "who"}
    def who(self):
        return WHO
"""
DECLARED, EXCEPTION, ABI, IMPORT = range(4)


class EntryPointTest(PluginTest):
    def who(self, folder, entrypoint):
        result = self.started(folder, entrypoint).call("who")
        return json.loads(result.json)

    def test_a_file_in_the_folder(self):
        folder = self.folder(plugin="WHO = __name__" + CLASS)
        self.assertEqual(self.who(folder, "plugin.py"), "plugin")

    def test_a_file_further_down_finds_its_neighbours(self):
        folder = self.folder_of({"sub/main.py": "from near import WHO" + CLASS,
                                 "sub/near.py": "WHO = 'near'"})
        self.assertEqual(self.who(folder, "sub/main.py"), "near")

    def test_a_file_whose_name_is_taken(self):
        for name in ("json.py", "my-plugin.py", "forgesyte.py"):
            folder = self.folder_of({name: "import json\nWHO = __name__" + CLASS})
            self.assertEqual(self.who(folder, name), "forgesyte_plugin")

    def test_a_file_of_a_package_has_relative_imports(self):
        folder = self.folder(__init__="", plugin="from .near import WHO" + CLASS,
                             near="WHO = 'near'")
        self.assertEqual(self.who(folder, "plugin.py"), "near")

    def test_a_dotted_module_of_the_folder_or_its_src(self):
        for top in ("pkg", "src/pkg"):
            folder = self.folder_of({f"{top}/plugin.py": "from .near import WHO" + CLASS,
                                     f"{top}/near.py": "WHO = __name__"})
            self.assertEqual(self.who(folder, "pkg.plugin"), "pkg.near")

    def test_a_dotted_module_whose_package_is_the_folder_itself(self):
        for init in ({}, {"__init__": "INSIDE = 1"}):
            folder = self.folder(plugin="from .near import WHO" + CLASS, near="WHO = __name__",
                                 **init)
            self.assertEqual(self.who(folder, "forgesyte_ocr.plugin"), "forgesyte_ocr.near")

    def test_a_class_named_after_a_colon_or_a_dot(self):
        source = "WHO = 1" + CLASS.replace("Plugin", "Other")
        for entrypoint in ("plugin:Other", "plugin.Other"):
            self.assertEqual(self.who(self.folder(plugin=source), entrypoint), 1)
        self.assertEqual(self.who(self.folder_of({"a/b.py": source}), "a.b.Other"), 1)

    def test_the_only_subclass_of_base_plugin(self):
        source = "from forgesyte import BasePlugin\nWHO = 2" + CLASS.replace(
            "Plugin:", "Mine(BasePlugin):")
        self.assertEqual(self.who(self.folder(plugin=source), "plugin.py"), 2)

    def test_no_class_or_several_are_refused_by_name(self):
        two = """
            from forgesyte import BasePlugin
            class One(BasePlugin): pass
            class Two(BasePlugin): pass
        """
        for source, words in (("", "ImportError: plugin.py has no class Plugin"),
                              (two, "ImportError: plugin.py has no class Plugin and several"
                                    " plugins: One, Two")):
            self.assertEqual(self.runtime(source).answer(),
                             (IMPORT, "ImportError", words, ""))
        error = self.runtime("", "plugin:Gone").answer()
        self.assertEqual(error.text, "ImportError: plugin:Gone: the module has no class Gone")

    def test_a_file_that_is_not_there(self):
        error = self.runtime("", "gone.py").answer()
        self.assertEqual(error, (IMPORT, "ImportError", "ImportError: there is no file gone.py in"
                                                        " the plugin's folder (there are:"
                                                        " plugin.py)", ""))

    def test_a_folder_is_no_file(self):
        error = self.runtime(self.folder_of({"plugin.py/x": ""}), "plugin.py").answer()
        self.assertEqual(error.text, "ImportError: plugin.py in the plugin's folder is no file")


class SurroundingsTest(PluginTest):
    def test_forgesyte_and_app_are_ours_and_the_rest_of_app_is_theirs(self):
        folder = self.folder_of({
            "plugin.py": """
                from app.plugins.base import BasePlugin
                from app.models import AnalysisResult
                from app.helpers import HELP
                from app.plugins.mine import MINE
                import forgesyte
                class Plugin(BasePlugin):
                    name = "p"
                    def __init__(self):
                        self.tools = {"t": self.t}
                        super().__init__()
                    def t(self):
                        return [HELP, MINE, BasePlugin is forgesyte.BasePlugin]
            """,
            "app/__init__.py": "", "app/helpers.py": "HELP = 1", "app/plugins/__init__.py": "",
            "app/plugins/mine.py": "MINE = 2",
            "app/models.py": "raise RuntimeError('not this one')",
            "forgesyte.py": "raise RuntimeError('nor this one')"})
        self.assertEqual(self.started(folder).call("t").json, "[1,2,true]")

    def test_the_folders_modules_come_before_installed_ones(self):
        folder = self.folder(plugin="import zipapp\nWHO = zipapp.WHO" + CLASS, zipapp="WHO = 5")
        self.assertEqual(self.started(folder).call("who").json, "5")

    def test_nothing_of_the_runtime_is_in_the_way(self):
        source = """
            import sys
            class Plugin:
                tools = {"t": "t"}
                def t(self):
                    return [sys.argv, "wire" in sys.modules, sys.path[1], __name__]
        """
        folder = self.folder(plugin=source)
        self.assertEqual(json.loads(self.started(folder).call("t").json),
                         [["plugin.py"], False, folder, "plugin"])

    def test_models_and_the_folder_are_known(self):
        source = """
            import forgesyte
            class Plugin:
                tools = {"t": "t"}
                def __init__(self):
                    self.model = forgesyte.model_path("eng")
                def t(self):
                    return [self.model, forgesyte.plugin_dir()]
                def validate(self):
                    forgesyte.model_path("deu")
        """
        folder = self.folder(plugin=source)
        runtime = self.runtime(folder, models={"eng": "/plugin/m/eng.bin"})
        error = runtime.start()
        self.assertIn("the manifest lists no model 'deu' (it lists: eng)", error.text)
        runtime.send(CALL, fake_host.call_payload("t"))
        self.assertEqual(json.loads(runtime.outcome().json), ["/plugin/m/eng.bin", folder])


class ImportFailureTest(PluginTest):
    def failure(self, source, **options):
        error = self.runtime(source, **options).answer()
        self.assertEqual((error.kind, error.type), (IMPORT, "ImportError"))
        return error

    def test_a_missing_package_in_the_diagrams_words(self):
        for interpreter in ("", "python3", "/usr/bin/python3"):
            error = self.failure("import nosuchtorch", interpreter=interpreter)
            self.assertEqual(error.text, "ImportError: No module named 'nosuchtorch'."
                                         " Install with: pip install nosuchtorch")
            self.assertIn("plugin.py\", line 1, in <module>\n    import nosuchtorch",
                          error.traceback)
            self.assertNotIn("forgesyte_worker", error.traceback)
            self.assertNotIn("frozen", error.traceback)

    def test_a_missing_package_names_the_right_interpreter(self):
        error = self.failure("import nosuchtorch.nn", interpreter="/opt/venv/bin/python")
        self.assertEqual(error.text, "ImportError: No module named 'nosuchtorch'. Install with: pip"
                                     " install nosuchtorch (for this plugin: /opt/venv/bin/python"
                                     " -m pip install nosuchtorch)")

    def test_a_missing_package_by_the_name_that_pip_knows(self):
        for module, package in (("cv2", "opencv-python-headless"), ("PIL", "pillow"),
                                ("sklearn", "scikit-learn"), ("yaml", "pyyaml")):
            error = self.failure(f"raise ModuleNotFoundError(\"No module named '{module}'\","
                                 f" name={module!r})")
            self.assertTrue(error.text.endswith(f"Install with: pip install {package}"), error.text)

    def test_what_pip_cannot_help_with(self):
        words = "ImportError: No module named 'json.nosuch'. "
        self.assertIn(self.failure("import json.nosuch").text, (
            words + "It belongs to Python's standard library, of which this interpreter has only a"
                    " part",
            words + "The json that is installed has no such module"))  # 3.9
        folder = self.folder_of({"plugin.py": "import near.gone", "near/__init__.py": ""})
        self.assertIn("The near in the plugin's folder has no such module", self.failure(folder).text)
        self.assertIn("plugins have app.plugins.base and app.models",
                      self.failure("import app.services").text)
        self.assertEqual(self.failure("from json import gone").text.partition("(")[0].strip(),
                         "ImportError: cannot import name 'gone' from 'json'")

    def test_a_package_that_is_missing_further_in(self):
        folder = self.folder(plugin="import near", near="import nosuchtorch")
        error = self.failure(folder)
        self.assertIn("No module named 'nosuchtorch'. Install with", error.text)
        self.assertIn("near.py", error.traceback)

    def test_a_syntax_error_says_where(self):
        error = self.failure("x = 1\ndef f(:\n    pass\n")
        self.assertRegex(error.text, r"^SyntaxError: .*\(plugin\.py, line 2\)$")
        self.assertIn("def f(:", error.traceback)

    def test_any_exception_has_class_words_and_traceback(self):
        error = self.failure("def f():\n    raise ValueError('bad weather')\nf()")
        self.assertEqual(error.text, "ValueError: bad weather")
        self.assertEqual(error.traceback.splitlines()[0], "Traceback (most recent call last):")
        self.assertIn("line 2, in f", error.traceback)

    def test_what_ends_other_programs_is_an_error_here(self):
        for source, words in (
                ("import sys; sys.exit(3)", "SystemExit: sys.exit(3)"),
                ("raise KeyboardInterrupt",
                 "KeyboardInterrupt: in plugin.py line 1: raise KeyboardInterrupt"),
                ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
                ("raise GeneratorExit('x')", "GeneratorExit: x"),
                ("assert 1 == 2", "AssertionError: in plugin.py line 1: assert 1 == 2")):
            self.assertTrue(self.failure(source).text.startswith(words), words)

    def test_a_death_is_a_death(self):
        for source, status in (("import os; os._exit(3)", 3),
                               ("import os, signal; os.kill(os.getpid(), 9)", -9),
                               ("import ctypes; ctypes.string_at(0)", -11)):
            with self.assertRaises(Died) as caught:
                self.runtime(source).answer()
            self.assertEqual(caught.exception.status, status)
        self.assertIn("Fatal Python error: Segmentation fault", caught.exception.log)
        self.assertIn("plugin.py\", line 1", caught.exception.log)


class InitTest(PluginTest):
    def failure(self, body, type_="InitError"):
        error = self.runtime("import forgesyte\n" + body).start()
        self.assertEqual((error.kind, error.type), (EXCEPTION, type_))
        return error

    def test_meta_comes_once_in_answer_to_init(self):
        runtime = self.runtime(self.named("basic"))
        self.assertIsNone(runtime.answer())
        self.assertIsNone(runtime.meta)
        runtime.send(INIT)
        self.assertIsNone(runtime.answer())
        meta = json.loads(runtime.meta)
        runtime.send(VALIDATE)
        self.assertIsNone(runtime.answer())
        self.assertEqual([t["name"] for t in meta["tools"]], ["echo", "size", "later", "fail"])
        self.assertEqual(meta["tools"][0], {
            "name": "echo", "description": "What it got.", "output_schema": {"type": "object"},
            "input_schema": {"type": "object", "required": ["text"], "properties": {
                "text": {"type": "string"}, "times": {"type": "integer"}}}})

    def test_an_exception_of_init_or_on_load(self):
        for method in ("__init__", "on_load"):
            error = self.failure(f"class Plugin:\n  def {method}(self):\n    1 / 0\n")
            self.assertEqual(error.text, "ZeroDivisionError: division by zero")
            self.assertIn(f"line 4, in {method}", error.traceback)

    def test_a_package_that_is_missing_only_now(self):
        error = self.failure("class Plugin:\n  def on_load(self):\n    import nosuchtorch\n")
        self.assertEqual(error.text, "ImportError: No module named 'nosuchtorch'. Install with: pip"
                                     " install nosuchtorch")

    def test_on_load_may_be_async_and_runs_after_init(self):
        runtime = self.started("""
            import asyncio
            class Plugin:
                tools = {"t": "t"}
                def __init__(self):
                    self.steps = ["init"]
                async def on_load(self):
                    await asyncio.sleep(0)
                    self.steps.append("load")
                async def validate(self):
                    self.steps.append("validate")
                def t(self):
                    return self.steps
        """)
        self.assertEqual(runtime.call("t").json, '["init","load","validate"]')

    def test_the_contract_of_base_plugin(self):
        base = "class Plugin(forgesyte.BasePlugin):\n"
        for body, words in (
                ("  pass", "Plugin.name is not a string"),
                ("  name = 'p'", "Plugin.tools is not a dict"),
                ("  name = 'p'\n  tools = []", "Plugin.tools is not a dict"),
                ("  name = 'p'\n  tools = {'t': {'description': ''}}",
                 "tools['t'] has no callable"),
                ("  name = 'p'\n  tools = {'t': {'handler': 'gone'}}", "has no callable handler"),
                ("  name = 'p'\n  tools = {'t': {'handler': len, 'input_schema': 3}}",
                 "['input_schema'] is not a dict")):
            self.assertIn(words, self.failure(base + body).text)

    def test_tools_that_cannot_be(self):
        for tools, words in (
                ("['t']", "Plugin.tools is a list, not a dict"),
                ("{'a b': len}", "'a b' is no name for a tool"),
                ("{3: len}", "3 is no name for a tool"),
                ("{'t': 'gone'}", "Plugin.tools['t'] has no callable handler"),
                ("{'t': {'handler': len, 'input_schema': 7}}", "an input schema is a dict, not a"),
                ("{'t': {'handler': len, 'input_schema': {'a': {'type': {1}}}}}",
                 "a schema is not JSON"),
                ("{'t': {'handler': len, 'description': {1}}}", "its description is a set"),
                ("{'t': {'handler': len, 'description': 'x' * 1048576}}", "at most 1048576")):
            error = self.failure(f"class Plugin:\n  tools = {tools}")
            self.assertIn(words, error.text)

    def test_validate_raises_or_says_no(self):
        for body, words in (("raise RuntimeError('no model')", "RuntimeError: no model"),
                            ("return False", "validate() returned False"),
                            ("return 'fine'", "validate() returned a str: it says nothing, or True"
                                              " or False, or raises"),
                            ("import sys; sys.exit()", "SystemExit: sys.exit()")):
            error = self.failure("class Plugin:\n  tools = {}\n  def validate(self):\n    " + body,
                                 "ValidationError")
            self.assertEqual(error.text, words)
        for body in ("pass", "return True"):
            self.started("class Plugin:\n  tools = {}\n  def validate(self):\n    " + body)

    def test_no_validate_is_valid(self):
        self.started("class Plugin:\n  tools = {}")


class EndTest(PluginTest):
    SOURCE = """
        import atexit
        class Plugin:
            tools = {}
            def on_unload(self):
                print("unloaded")
                BODY
        atexit.register(print, "bye")
    """

    def test_on_unload_runs_at_shutdown_and_not_without_init(self):
        runtime = self.started(self.SOURCE.replace("BODY", ""))
        self.assertEqual(runtime.shutdown(), 0)
        self.assertEqual(runtime.log(), "unloaded\nbye\n")
        runtime = self.runtime(self.SOURCE.replace("BODY", ""))
        runtime.answer()
        self.assertEqual(runtime.shutdown(), 0)
        self.assertEqual(runtime.log(), "bye\n")

    def test_an_on_unload_that_fails_is_told_in_the_log(self):
        for body in ("raise ValueError('too late')", "import sys; sys.exit(9)"):
            runtime = self.started(self.SOURCE.replace("BODY", body))
            self.assertEqual(runtime.shutdown(), 0)
            self.assertIn("on_unload", runtime.log())

    def test_on_unload_may_be_async_and_background_tasks_are_ended(self):
        runtime = self.started("""
            import asyncio
            class Plugin:
                tools = {"t": "t"}
                async def t(self):
                    self.task = asyncio.ensure_future(asyncio.sleep(1000))
                async def on_unload(self):
                    print("unloaded")
        """)
        self.assertEqual(runtime.call("t").json, "null")
        self.assertEqual(runtime.shutdown(), 0)
        self.assertEqual(runtime.log(), "unloaded\n")

    def test_a_host_that_goes_away_ends_it(self):
        runtime = self.started("class Plugin:\n  tools = {}")
        runtime.sock.close()
        self.assertEqual(runtime.process.wait(fake_host.SECONDS), 219)

    def test_a_host_that_breaks_the_protocol_ends_it(self):
        good = "class Plugin:\n  tools = {}"
        for kind, payload, lies in (
                (LOAD, b"", {}), (INIT, b"", {}), (INIT, b"", {"length": 1}), (99, b"", {}),
                (CALL, b"x", {}),
                (CALL, b"", {"length": (128 << 20) + 1}),
                (SHUTDOWN, b"", {"generation": 8}), (SHUTDOWN, b"", {"seq": 1})):
            runtime = self.started(good)
            runtime.send(kind, payload, **lies)
            self.assertEqual(runtime.process.wait(fake_host.SECONDS), 71, (kind, lies))
        runtime = self.runtime(good)
        runtime.answer()
        runtime.send(VALIDATE)
        self.assertEqual(runtime.process.wait(fake_host.SECONDS), 71)

    def test_a_load_that_cannot_be_read_ends_it(self):
        for payload in (b"x", fake_host.load_payload("/p", "plugin.py") + b"x"):
            runtime = Runtime("/p", payload=payload)
            self.addCleanup(runtime.__exit__)
            self.assertEqual(runtime.process.wait(fake_host.SECONDS), 71)
            self.assertIn("forgesyte-worker: LOAD: ", runtime.log())


if __name__ == "__main__":
    unittest.main()
