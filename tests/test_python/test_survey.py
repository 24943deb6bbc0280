"""test_survey.py -- what a plugin's source tells without being run: the findings of survey.py."""
import os
import re
import subprocess
import sys
import unittest

import fake_host
from plugin_folder import PluginTest

sys.path.insert(0, fake_host.LIBDIR)
from forgesyte_worker.failures import PIP_NAMES

SURVEY = os.path.join(fake_host.LIBDIR, "forgesyte_worker", "survey.py")
CLASS = "\n\nclass Plugin:\n    raise RuntimeError('this is run')\n"


class SurveyTest(PluginTest):
    def survey(self, folder, entrypoint="plugin.py", *declared):
        """The findings as (kind, place, words, package)."""
        done = subprocess.run([fake_host.PYTHON, "-B", SURVEY, folder, entrypoint, *declared],
                              stdout=subprocess.PIPE, check=True, text=True)
        status, *lines = done.stdout.splitlines()
        findings = [tuple(line.split("\t")) for line in lines]
        bad = any(finding[0] == "problem" for finding in findings)
        self.assertEqual(status, "2 " if bad else "0 ")
        return findings

    def survey_of(self, source, *declared, **files):
        return self.survey(self.folder(plugin=source + CLASS, **files), "plugin.py", *declared)

    def assert_problem(self, findings, place, words, package=""):
        self.assertEqual([finding[:2] for finding in findings], [("problem", place)], findings)
        self.assertIn(words, findings[0][2])
        self.assertEqual(findings[0][3], package)

    def assert_note(self, findings, place, module):
        self.assertEqual([finding[:2] for finding in findings], [("note", place)], findings)
        self.assertIn(f"'{module}'", findings[0][2])


class EntryTest(SurveyTest):
    def test_a_plugin_that_is_well_has_no_findings(self):
        for name in ("basic", "older", "tracker"):
            self.assertEqual(self.survey(self.named(name)), [])

    def test_a_file_that_is_not_there(self):
        self.assert_problem(self.survey(self.folder(other=""), "gone.py"), "gone.py",
                            "there is no such file in the plugin's folder")

    def test_a_file_that_is_binary(self):
        folder = self.folder()
        # Of a byte that is not UTF-8 each Python has words of its own.
        for data, words in ((b"\x7fELF\x02\x01\x01\0\0", r"not Python source but binary \(byte 8"),
                            (b"\xff\xd8\xff\xe0 JFIF", r"SyntaxError: .*[0\\]xff")):
            with open(os.path.join(folder, "plugin.py"), "wb") as f:
                f.write(data)
            finding, = self.survey(folder)
            self.assertEqual(finding[0], "problem")
            self.assertTrue(finding[1].startswith("plugin.py"), finding)
            self.assertRegex(finding[2], words)

    def test_a_syntax_error_has_its_line_and_text(self):
        self.assert_problem(self.survey(self.folder(plugin="x = 1\ndef f(:\n    pass\n")),
                            "plugin.py:2", "SyntaxError: invalid syntax: def f(:")
        # One that the parser lets pass and the compiler does not.
        self.assert_problem(self.survey(self.folder(plugin="class Plugin: pass\nreturn 1\n")),
                            "plugin.py:2", "SyntaxError: 'return' outside function")

    def test_a_syntax_error_in_another_file_of_the_plugin(self):
        self.assert_problem(self.survey_of("import near", near="a b"), "near.py:1", "SyntaxError")

    def test_a_class_that_is_not_there(self):
        self.assert_problem(self.survey(self.folder(plugin="class plugin: pass")), "plugin.py",
                            "it has no class Plugin")
        self.assert_problem(self.survey(self.folder(plugin="class Plugin: pass"), "plugin:Other"),
                            "plugin:Other", "the module has no class Other")
        two = "from forgesyte import BasePlugin\nclass A(BasePlugin): pass\nclass B(BasePlugin): pass"
        self.assert_problem(self.survey(self.folder(plugin=two)), "plugin.py",
                            "several plugins: A, B")

    def test_a_class_that_may_be_there_is_not_missed(self):
        for source in ("from forgesyte import BasePlugin\nclass Mine(BasePlugin): pass",
                       "import base\nclass Mine(base.Other): pass",
                       "from base import Other as Plugin", "from base import *",
                       "def make(): pass\nPlugin = make()", "globals()['Plugin'] = int",
                       "if True:\n    class Plugin: pass", "def __getattr__(name): return int"):
            folder = self.folder(plugin=source, base="class Other: pass")
            self.assertEqual(self.survey(folder), [], source)

    def test_entry_points_of_every_form_are_found(self):
        near = "from .near import x" + CLASS
        for files, entrypoint in (({"sub/main.py": "import near" + CLASS, "sub/near.py": ""},
                                   "sub/main.py"),
                                  ({"src/pkg/plugin.py": near, "src/pkg/near.py": ""}, "pkg.plugin"),
                                  ({"plugin.py": near, "near.py": ""}, "other_name.plugin"),
                                  ({"plugin.py": near, "near.py": "", "__init__.py": ""},
                                   "plugin.py"),
                                  ({"a/b.py": near, "a/near.py": ""}, "a.b:Plugin"),
                                  ({"a/b.py": near, "a/near.py": ""}, "a.b.Plugin")):
            self.assertEqual(self.survey(self.folder_of(files), entrypoint), [], entrypoint)
            bad = {path: text for path, text in files.items() if not path.endswith("near.py")}
            self.assertEqual(self.survey(self.folder_of(bad), entrypoint)[0][0], "problem")

    def test_a_module_that_is_not_there(self):
        self.assert_problem(self.survey(self.folder(), "no_such_7.plugin"), "no_such_7.plugin",
                            "module no_such_7 was not found", "no_such_7")
        self.assert_problem(self.survey(self.folder_of({"pkg/a.py": ""}), "pkg.plugin"),
                            "pkg.plugin", "module pkg.plugin was not found")


class ImportsTest(SurveyTest):
    def test_a_missing_module_is_named_with_its_package(self):
        self.assert_problem(self.survey_of("import no_such_7.inner as x"), "plugin.py:1",
                            "No module named 'no_such_7'", "no_such_7")
        self.assert_problem(self.survey_of("from fitz import x"), "plugin.py:1",
                            "No module named 'fitz'", "pymupdf")

    def test_one_that_the_manifest_declares_is_left_to_it(self):
        self.assertEqual(self.survey_of("import no_such_7.a", "no_such_7"), [])

    def test_one_is_told_once_where_it_is_first_needed(self):
        findings = self.survey_of("def f():\n    import no_such_7\nimport near, no_such_7\n",
                                  near="import no_such_7")
        self.assertEqual([finding[:2] for finding in findings],
                         [("problem", "plugin.py:3"), ("note", "plugin.py:2")])

    def test_imports_that_may_never_happen_are_notes(self):
        for source in ("try:\n    import no_such_7\nexcept ImportError:\n    no_such_7 = None",
                       "try:\n    import no_such_7\nexcept (KeyError, ModuleNotFoundError): pass",
                       "try:\n    import no_such_7\nexcept: pass",
                       "import contextlib\nwith contextlib.suppress(ImportError):"
                       " import no_such_7",
                       "def f():\n    import no_such_7", "if len('a') > 2:\n    import no_such_7",
                       "class A:\n    def f(self):\n        from no_such_7 import x"):
            finding, = self.survey_of(source)
            self.assertEqual((finding[0], finding[3]), ("note", "no_such_7"), source)
            self.assertIn("'no_such_7' is imported only where it is needed", finding[2])

    def test_imports_that_do_happen_are_problems(self):
        for source in ("try:\n    import no_such_7\nexcept KeyError: pass",
                       "try:\n    pass\nfinally:\n    import no_such_7",
                       "class A:\n    import no_such_7",
                       "import threading\nwith threading.Lock():\n    import no_such_7"):
            finding, = self.survey_of(source)
            self.assertEqual(finding[0], "problem", source)

    def test_imports_that_never_happen_are_nothing(self):
        for source in ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import no_such_7",
                       "import typing\nif typing.TYPE_CHECKING:\n    import no_such_7",
                       "if __name__ == '__main__':\n    import no_such_7",
                       "if 0:\n    import no_such_7"):
            self.assertEqual(self.survey_of(source), [], source)

    def test_files_of_the_plugin_are_followed_wherever_they_lie(self):
        folder = self.folder_of({
            "plugin.py": "import pkg.a\nfrom pkg import b\nfrom src_module import x" + CLASS,
            "pkg/__init__.py": "from . import c", "pkg/a.py": "", "pkg/b.py": "import no_such_2",
            "pkg/c/__init__.py": "from ..d import e", "pkg/d.py": "import no_such_4",
            "src/src_module.py": "import no_such_5", "unused.py": "import no_such_6"})
        self.assertEqual({finding[1:2] + finding[3:] for finding in self.survey(folder)},
                         {("pkg/b.py:1", "no_such_2"), ("pkg/d.py:1", "no_such_4"),
                          ("src/src_module.py:1", "no_such_5")})

    def test_what_hangs_on_a_note_is_a_note(self):
        self.assert_note(self.survey_of("def f():\n    import near", near="import no_such_7"),
                         "near.py:1", "no_such_7")

    def test_a_missing_part_of_the_plugin_has_no_package(self):
        self.assert_problem(self.survey_of("import pkg.gone", **{"pkg/__init__": ""}), "plugin.py:1",
                            "No module named 'pkg.gone'")
        self.assert_problem(self.survey_of("from .gone import x", __init__=""), "plugin.py:1",
                            "No module named '.gone'")

    def test_a_relative_import_in_no_package_is_told(self):
        self.assert_problem(self.survey_of("from .near import x", near="x = 1"), "plugin.py:1",
                            "there is no __init__.py beside it")

    def test_app_is_ours_and_the_plugins(self):
        folder = self.folder_of({"plugin.py": "from app.models import AnalysisResult\n"
                                              "from app.plugins.base import BasePlugin\n"
                                              "from app.helpers import x\n"
                                              "import app.plugins.mine" + CLASS,
                                 "app/__init__.py": "", "app/helpers.py": "",
                                 "app/plugins/mine.py": "import no_such_7"})
        self.assert_problem(self.survey(folder), "app/plugins/mine.py:1", "", "no_such_7")
        self.assert_problem(self.survey_of("import app.services.vision"), "plugin.py:1",
                            "Of the ForgeSyte server, plugins have app.plugins.base")

    def test_what_the_standard_library_lost_or_got_is_told(self):
        version = tuple(map(int, subprocess.run(
            [fake_host.PYTHON, "-c", "import sys; print(*sys.version_info[:2])"],
            stdout=subprocess.PIPE, check=True, text=True).stdout.split()))
        lost = self.survey_of("import imp, telnetlib, tomllib")
        expected = [("imp", version >= (3, 12)), ("telnetlib", version >= (3, 13)),
                    ("tomllib", version < (3, 11))]
        self.assertEqual([re.search("'(.*)'", finding[2]).group(1) for finding in lost],
                         [name for name, gone in expected if gone])
        for finding in lost:
            self.assertRegex(finding[2], r"left the standard library in|standard library from")

    def test_a_venv_in_the_folder_is_not_the_plugins_own(self):
        folder = self.folder_of({"plugin.py": "import lib.site_packages" + CLASS,
                                 "lib/__init__.py": "", "lib/site_packages.py": "",
                                 "venv/lib/python3/site-packages/x.py": "a b"})
        self.assertEqual(self.survey(folder), [])

    def test_a_folder_of_many_files_and_cycles_ends(self):
        files = {f"m{i}": f"import m{(i + 1) % 400}, plugin" for i in range(400)}
        self.assertEqual(self.survey_of("import m0", **files), [])

    def test_deep_nesting_is_told_and_not_died_of(self):
        findings = self.survey(self.folder(plugin="x = " + "(" * 100000 + ")" * 100000 + CLASS))
        self.assertEqual(findings[0][0], "problem")


class NamesTest(unittest.TestCase):
    def test_the_host_and_the_runtime_know_the_same_packages(self):
        path = os.path.join(fake_host.ROOT, "src", "loader", "plugin_errors.c")
        with open(path, encoding="utf-8") as f:
            rows = re.search(r"pip_names\[\] = \{(.*?)\n\};", f.read(), re.S).group(1)
        self.assertEqual(dict(re.findall(r'\{"(\w+)", "([\w-]+)"\}', rows)), PIP_NAMES)


if __name__ == "__main__":
    unittest.main()
