"""test_words.py -- what an author reads: words that name the place, the name that was meant and what
to write instead."""
import os
import sys
import types
import unittest
import unittest.mock

from fake_host import LIBDIR
from plugin_folder import PluginTest

sys.path.insert(0, LIBDIR)

from forgesyte_worker import failures, hints  # noqa: E402

BASE = "import forgesyte\n\n\nclass Plugin(forgesyte.BasePlugin):\n    name = 'p'\n"


def load_of(folder="/plugin"):
    return types.SimpleNamespace(dir=folder, interpreter="/usr/bin/python3")


class WordsTest(PluginTest):
    def refused(self, source, type_, entrypoint="plugin.py"):
        """The failure of the first stage that fails."""
        error = self.runtime(source, entrypoint).start()
        self.assertIsNotNone(error, "it has loaded")
        self.assertEqual(error.type, type_)
        return error


class HandlersTest(WordsTest):
    def test_a_handler_that_is_not_there_is_named_with_the_nearest_method(self):
        for head in (BASE, "class Plugin:\n"):
            error = self.refused(head + "    tools = {'detect': {'handler': 'detect_playrs'}}\n"
                                 "    def detect_players(self):\n        pass\n", "InitError")
            self.assertIn("Plugin.tools['detect'] has no callable handler: Plugin has no method"
                          " detect_playrs; did you mean detect_players?", error.text)
            self.assertEqual(error.traceback, "")

    def test_without_a_near_one_the_methods_are_listed(self):
        error = self.refused(BASE + "    tools = {'detect': 'xyz'}\n    def run(self):\n"
                             "        pass\n    def stop(self):\n        pass\n", "InitError")
        self.assertTrue(error.text.endswith("Plugin has no method xyz (there are: run, stop)"),
                        error.text)

    def test_a_handler_that_is_no_method_says_what_it_is(self):
        for tools, words in (("{'t': 'name'}", "Plugin.name is a str, not a method"),
                             ("{'t': {'handler': 7}}", "its handler is a int, not a function")):
            self.assertIn(words, self.refused(BASE + f"    tools = {tools}\n", "InitError").text)

    def test_a_method_without_self_is_found_at_load(self):
        error = self.refused("class Plugin:\n    tools = {'t': 'go'}\n    def go():\n"
                             "        pass\n", "InitError")
        self.assertEqual(error.text, "Plugin.tools['t']: Plugin.go() has no parameter self")

    def test_a_missing_name_says_what_to_write(self):
        error = self.refused(BASE.replace("    name = 'p'\n", "") + "    tools = {}\n", "InitError")
        self.assertIn('such as name = "plugin" in class Plugin', error.text)


class ArgumentsTest(WordsTest):
    def declared(self, schema, signature, type_="ValidationError"):
        return self.refused("class Plugin:\n"
                            f"    tools = {{'detect': {{'input_schema': {schema}}}}}\n"
                            f"    def detect({signature}):\n        pass\n", type_)

    def test_an_argument_that_the_handler_does_not_take_is_found_at_load(self):
        for schema in ("{'type': 'object', 'properties': {'size': {}, 'treshold': {}}}",
                       "{'size': 'integer', 'treshold': 'number?'}"):
            error = self.declared(schema, "self, size=1, threshold=0.5")
            self.assertEqual(error.text, "Plugin.tools['detect']: its input schema declares the"
                                         " argument treshold, which Plugin.detect() does not take;"
                                         " did you mean threshold?")

    def test_without_a_near_one_the_parameters_are_listed(self):
        error = self.declared("{'device': 'string'}", "self, image_bytes, size=1")
        self.assertTrue(error.text.endswith("does not take (there are: image_bytes, size)"))

    def test_handlers_that_take_all_are_as_they_were(self):
        for signature in ("self, **options", "self, size, **options", "self, args",
                          "self, treshold, progress_callback=None"):
            self.started("class Plugin:\n    tools = {'detect': {'input_schema':"
                         f" {{'treshold': 'number'}}}}}}\n    def detect({signature}):\n"
                         "        pass\n")
        self.started("class Plugin:\n    tools = {'detect': {'input_schema': {'x': 'number'}}}\n"
                     "    def run_tool(self, name, args):\n        pass\n"
                     "    def detect(self):\n        pass\n")


    def test_a_run_tool_of_its_own_gets_what_the_handler_does_not_take(self):
        runtime = self.started("class Plugin:\n    tools = {'go': 'go'}\n"
                               "    def run_tool(self, name, args):\n        return args\n"
                               "    def go(self, size=1):\n        pass\n")
        self.assertNotIn("additionalProperties", runtime.meta)
        self.assertEqual(runtime.call("go", '{"other":2}').json, '{"other":2}')


class ImportsTest(WordsTest):
    def test_of_a_misspelt_module_of_the_plugins_own_the_right_name_is_told(self):
        folder = self.folder_of({"plugin.py": "import trakker\n", "src/tracker.py": ""})
        self.assertEqual(self.refused(folder, "ImportError").text,
                         "ImportError: No module named 'trakker'. Install with: pip install trakker."
                         " Or was tracker meant, which is in the plugin's folder?")

    def test_a_binary_entry_point_is_named_for_what_it_is(self):
        for data, what in ((b"\x7fELF\x02\x01\x01\0\0", "a compiled program or shared object"),
                           (b"PK\x03\x04\0\0", "a zip archive"), (b"x = 1\n\0", "a binary file"),
                           ("\ufeffx = 1".encode("utf-16-le"), "UTF-16 text")):
            folder = self.folder(plugin="")
            with open(os.path.join(folder, "plugin.py"), "wb") as f:
                f.write(data)
            self.assertEqual(self.refused(folder, "ImportError").text,
                             f"ImportError: plugin.py is {what}, not Python source text")

    def test_a_module_without_a_plugin_tells_its_classes(self):
        error = self.refused("class MyTool:\n    pass\n", "ImportError")
        self.assertEqual(error.text, "ImportError: plugin.py has no class Plugin (it has: MyTool;"
                                     " name one Plugin, or derive it from forgesyte.BasePlugin)")

    def test_a_class_that_is_not_there_is_named_with_the_nearest(self):
        error = self.refused("class Tracker:\n    pass\n", "ImportError", "plugin:Traker")
        self.assertTrue(error.text.endswith("no class Traker; did you mean Tracker?"), error.text)


class TracebackTest(WordsTest):
    def test_the_plugins_own_frames_are_kept_in_a_reason(self):
        """Of a failed load the host shows 1 KiB: libraries' frames are what goes."""
        error = self.refused("""
            import json
            class Deep:
                def __init__(self, n):
                    self.n = n
                def keys(self):
                    return ["k"]
            def hook(pairs):
                raise ValueError("no weather today, and a long sentence about it: " + "x" * 200)
            class Plugin:
                tools = {}
                def __init__(self):
                    self.config = self.read()
                def read(self):
                    text = '[' * 40 + '{"a": 1}' + ']' * 40
                    import email.parser, xml.sax, urllib.request
                    return json.loads(text, object_pairs_hook=hook, cls=json.JSONDecoder)
        """, "InitError")
        self.assertLessEqual(len(error.text) + len(error.traceback), 1000)
        for function in ("in __init__", "in read", "in hook"):
            self.assertIn(function, error.traceback)
        self.assertNotIn("no weather today, and a long sentence about it: xxx", error.traceback)

    def test_a_traceback_that_only_repeats_the_words_is_none(self):
        told = failures.Failures(load_of()).of_init(ValueError("bad"))
        self.assertEqual((told.words, told.traceback), ("ValueError: bad", ""))

    def test_of_a_recursion_a_few_frames_are_kept(self):
        error = self.refused("""
            class Plugin:
                tools = {}
                def __init__(self):
                    self.down()
                def down(self):
                    self.down()
        """, "InitError")
        self.assertLessEqual(len(error.text) + len(error.traceback), 1000)
        self.assertIn("in down", error.traceback)
        self.assertIn("more frames left out", error.traceback)


class HintsTest(unittest.TestCase):
    def hint(self, e, folder="/plugin", denied=True):
        with unittest.mock.patch.object(hints, "_network_is_denied", lambda: denied):
            return hints.Hints(load_of(folder)).of(e)

    def test_a_refused_network_names_the_permission(self):
        refused = OSError(97, "Address family not supported by protocol")
        self.assertIn('manifest.json: "permissions": {"network": true}', self.hint(refused))
        self.assertEqual(self.hint(refused, denied=False), "")
        self.assertEqual(self.hint(OSError(1, "Operation not permitted")), "")

    def test_also_behind_the_exceptions_of_libraries(self):
        import urllib.error

        refused = OSError(97, "Address family not supported by protocol")
        self.assertIn('"network": true', self.hint(urllib.error.URLError(refused)))
        try:
            try:
                raise refused
            except OSError as e:
                raise RuntimeError("no weather") from e
        except RuntimeError as e:
            self.assertIn('"network": true', self.hint(e))

    def test_a_read_only_place_names_the_permission_and_the_folder(self):
        e = OSError(30, "Read-only file system", "/var/cache/forge/x.txt")
        self.assertIn('"permissions": {"write": ["/var/cache/forge"]}', self.hint(e))

    def test_the_plugins_own_folder_is_read_only(self):
        e = OSError(30, "Read-only file system", "/plugin/cache.bin")
        self.assertIn("The plugin's folder is read-only here; write below /tmp", self.hint(e))

    def test_a_file_that_is_not_seen_names_the_permission(self):
        e = FileNotFoundError(2, "No such file or directory", "/models/x.pt")
        self.assertIn('If it is on this machine, let the plugin see it in manifest.json:'
                      ' "permissions": {"read": ["/models/x.pt"]}', self.hint(e))

    def test_files_of_the_plugins_own_places_are_its_own_matter(self):
        for name in ("/plugin/x.txt", "/tmp/x", "/proc/1/mem", "x.txt", 3):
            self.assertEqual(self.hint(FileNotFoundError(2, "No such file", name)), "")

    def test_other_exceptions_have_none_and_an_endless_chain_ends(self):
        one, two = ValueError("a"), ValueError("b")
        one.__context__, two.__context__ = two, one
        self.assertEqual(self.hint(one), "")


if __name__ == "__main__":
    unittest.main()
