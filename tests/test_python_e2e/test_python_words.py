"""test_python_words.py -- could an author mend the plugin from the words alone? One bug at each place;
what is read is the answer of the call, `forgesyte status` and the log, as a person sees them."""
import re
import subprocess
import unittest

from host import FORGESYTE, environment
from python_case import TIMEOUT, PythonCase, functions

CLASS = "import forgesyte\n\n\nclass Plugin(forgesyte.BasePlugin):\n    name = 'p'\n"


class Words(PythonCase):
    def status(self):
        """What `forgesyte status p` prints; no line of it is said twice."""
        done = subprocess.run([FORGESYTE, "status", "p"], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE, timeout=60,
                              env=environment(FORGESYTE_URL=self.host.url))
        self.assertEqual((done.returncode, done.stderr), (3, ""), done.stdout)
        page = done.stdout[done.stdout.index("  reason"):]
        said = [re.sub(r"^[ |]*", "", line) for line in page.splitlines()]
        for line in said:
            if len(line) > 12:
                self.assertEqual(sum(line in other for other in said), 1, page)
        self.assert_readable(page)
        return page

    def loaded(self, source, *words, **manifest):
        """The status of a plugin that has failed to load, with these words in it."""
        health = self.load(source, **manifest)
        self.assertEqual(health["state"], "FAILED")
        page = self.status()
        for word in words:
            self.assertIn(word, page)
        return page

    def called(self, body, *words, head="", **manifest):
        """The same of one whose tool has failed."""
        text = f"{head}\n\n\ndef go(text='abc'):\n" + "".join(
            f"    {line}\n" for line in body.splitlines())
        self.start(functions(text), **manifest)
        self.answer = self.host.run("p", "go")
        page = self.status()
        for word in words:
            self.assertIn(word, page)
        return page


class Loading(Words):
    def test_an_import_that_raises(self):
        self.loaded("LIMIT = MAXIMUM * 2\n", "ImportError: NameError: name 'MAXIMUM' is not defined",
                    'File "/plugin/plugin.py", line 1, in <module>', "LIMIT = MAXIMUM * 2")

    def test_a_missing_package(self):
        self.loaded("import os\nimport nosuchtorch\n", "ImportError: No module named 'nosuchtorch'."
                    " Install with: pip install nosuchtorch", "line 2, in <module>")

    def test_a_constructor_that_looks_for_a_file_of_the_host(self):
        self.loaded(CLASS + "    tools = {}\n\n    def __init__(self):\n"
                    "        self.weights = open('/models/x.pt')\n",
                    "InitError: FileNotFoundError", "in __init__", "self.weights = open(",
                    '"permissions": {"read": ["/models/x.pt"]}')

    def test_a_self_test_that_fails(self):
        self.loaded(CLASS + "    tools = {}\n\n    def validate(self):\n"
                    "        assert self.model\n", "ValidationError: AttributeError", "in validate",
                    "has no attribute 'model'")

    def test_a_wrong_handlers_name(self):
        self.loaded(CLASS + "    tools = {'detect': 'detect_playrs'}\n\n"
                    "    def detect_players(self):\n        pass\n",
                    "Plugin has no method detect_playrs; did you mean detect_players?")

    def test_a_misspelt_argument(self):
        self.loaded(CLASS + "    tools = {'detect': {'input_schema': {'treshold': 'number?'}}}\n\n"
                    "    def detect(self, threshold=0.5):\n        pass\n",
                    "ValidationError: Plugin.tools['detect']", "argument treshold",
                    "did you mean threshold?")

    def test_a_misspelt_tool_of_the_manifest(self):
        self.loaded(CLASS + "    tools = {'detect': 'detect'}\n\n    def detect(self):\n"
                    "        pass\n", 'no tool "detcet"', "did you mean detect?",
                    tools=[{"name": "detcet"}])

    def test_a_bad_manifest(self):
        self.loaded(CLASS + "    tools = {}\n", 'limits: unknown key "timeout_second"',
                    'did you mean "timeout_seconds"?', limits={"timeout_second": 5})

    def test_a_crash_at_import(self):
        self.loaded("import ctypes\nctypes.string_at(0)\n", "died by signal 11 (SIGSEGV)",
                    "It was in plugin.py line 2: ctypes.string_at(0)")


class Calling(Words):
    def test_an_exception_has_class_words_and_place(self):
        page = self.called("return {'n': int(text)}", "ValueError: invalid literal for int() with"
                           " base 10: 'abc' (plugin.py line 5, in go)")
        self.assertEqual(self.answer.error, "invalid literal for int() with base 10: 'abc'")
        self.assertNotIn("Traceback", page)

    def test_an_exception_deep_in_a_library_has_the_plugins_own_place(self):
        self.called("return json.loads(text)", "JSONDecodeError: Expecting value",
                    "(plugin.py line 5, in go)", head="import json")

    def test_a_key_alone_is_no_word(self):
        self.called("return {}[text]", "KeyError: 'abc' (plugin.py line 5, in go)")

    def test_an_exception_without_words_is_its_line(self):
        self.called("assert text == 'x'", "AssertionError: in plugin.py line 5: assert text == 'x'")

    def test_the_network(self):
        self.called("return urllib.request.urlopen('http://127.0.0.1:1/').read()",
                    "URLError", 'manifest.json: "permissions": {"network": true}',
                    "(plugin.py line 5, in go)", head="import urllib.request")

    def test_writing_into_its_own_folder(self):
        page = self.called("open(__file__ + '.cache', 'w')", "manifest.json", '"write"')
        self.assertRegex(page, "(OSError|PermissionError): ")

    def test_a_result_that_is_not_json(self):
        self.called("return {'boxes': [{'ids': {1, 2}}]}", "InvalidOutput: result.boxes[0].ids: set"
                    " is not JSON (make it a list)")

    def test_a_hang(self):
        page = self.until_told(lambda: self.called("while True: len(text)",
                                                   limits={"timeout_seconds": TIMEOUT}))
        self.assertIn(f"Plugin execution timed out after {TIMEOUT:g}s. Increase timeout in manifest"
                      " if needed. It was in plugin.py line 5, in go: while True: len(text)", page)
        self.assertIn('plugin.py", line 5 in go', page)
        self.assertIn('plugin.py", line 5 in go', self.log())

    def test_a_segfault(self):
        self.called("return ctypes.string_at(0)", "died by signal 11 (SIGSEGV)",
                    "It was in plugin.py line 5, in go: return ctypes.string_at(0)",
                    "Fatal Python error: Segmentation fault", head="import ctypes")

    def test_an_exit(self):
        self.called("os._exit(7)", "exited 7 without reply",
                    "Something in it called exit() or _exit().", head="import os")

    def test_closed_descriptors(self):
        self.called("os.closerange(0, 100)", "closed or replaced descriptor 3",
                    "A plugin closes what it has opened, and nothing else.", head="import os")


if __name__ == "__main__":
    unittest.main()
