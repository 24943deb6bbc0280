"""test_python_load_failures.py -- a Python plugin that breaks while it is loaded: each way has its
state, its error_type and words to mend it by."""
import unittest

from python_case import TIMEOUT, PythonCase

LOAD_TIMEOUT = 2 * TIMEOUT  # Python has begun long before

GOOD = """
from app.plugins.base import BasePlugin


class Plugin(BasePlugin):
    name = "p"

    def __init__(self):
        self.tools = {"greet": {"handler": "greet"}}
        super().__init__()

    def greet(self, name="world"):
        return {"text": f"hello {name}"}
"""


def at_import(line):
    return f"import ctypes, os, sys, time\n{line}\n{GOOD}"


def at(method, *lines):
    """A good plugin with a method more."""
    body = "\n".join(f"        {line}" for line in lines)
    return f"import ctypes, os, sys, time\n{GOOD}\n    def {method}(self):\n{body}\n"


class Import(PythonCase):
    def assert_import_error(self, line, *words, **manifest):
        health = self.load(at_import(line), **manifest)
        self.assert_failed_to_load(health, "ImportError", *words)
        return health

    def test_a_missing_module_is_named_with_the_command_that_installs_it(self):
        health = self.assert_import_error(
            "import no_such_module_7",
            "ImportError: No module named 'no_such_module_7'. "
            "Install with: pip install no_such_module_7")
        self.assertNotIn("\n", health["reason"].split("Install with")[0])

    def test_pips_name_is_given_where_it_is_another(self):
        self.assert_import_error("import skimage.nothing", "pip install scikit-image")

    def test_a_missing_part_of_a_package_does_not_ask_for_its_installation(self):
        health = self.assert_import_error("import json.nothing", "No module named 'json.nothing'")
        self.assertNotIn("pip install json", health["reason"])

    def test_a_name_that_a_module_lacks_is_an_import_error(self):
        self.assert_import_error("from json import nothing",
                                 "ImportError: cannot import name 'nothing' from 'json'")

    def test_what_the_server_has_and_we_have_not_is_told(self):
        self.assert_import_error("from app.services import something", "app.services",
                                 "app.plugins.base and app.models")

    def test_a_syntax_error_names_file_and_line(self):
        health = self.load("def broken(:\n    pass\n")
        self.assert_failed_to_load(health, "ImportError", "SyntaxError", "plugin.py", "line 1")

    def test_a_syntax_error_in_a_module_of_its_own_names_that(self):
        health = self.load(at_import("import helper"), files=[("helper.py", "x = 1\ny = = 2\n")])
        self.assert_failed_to_load(health, "ImportError", "SyntaxError", "helper.py", "line 2")

    def test_a_wrong_indentation_is_named(self):
        health = self.load("def f():\n    x = 1\n      y = 2\n")
        self.assert_failed_to_load(health, "ImportError", "IndentationError", "plugin.py", "line 3")

    def test_an_exception_has_class_message_and_place(self):
        self.assert_import_error("raise ValueError('the flux is off by 7')",
                                 "ValueError: the flux is off by 7", "plugin.py", "line 2")

    def test_an_exception_without_words_names_its_place(self):
        self.assert_import_error("assert 1 == 2", "AssertionError", "line 2", "assert 1 == 2")

    def test_sys_exit_is_no_success(self):
        self.assert_import_error("sys.exit(0)", "SystemExit", "sys.exit(0)")

    def test_a_keyboard_interrupt_is_told(self):
        self.assert_import_error("raise KeyboardInterrupt", "KeyboardInterrupt", "line 2")

    def test_an_exit_is_told_with_its_code(self):
        self.assert_import_error("os._exit(0)", "exited with code 0", "stage=load")

    def test_an_endless_recursion_is_told(self):
        self.assert_import_error("def f():\n    f()\nf()", "RecursionError",
                                 "maximum recursion depth exceeded")

    def test_a_segfault_is_a_crash_with_the_line_in_its_last_words(self):
        health = self.load(at_import("ctypes.string_at(0)"))
        self.assert_failed_to_load(health, "PluginCrashed", "signal 11 (SIGSEGV)", "stage=load")
        self.assertIn("plugin.py", health["last_failure"]["stderr_tail"])
        self.assertIn("line 2", health["last_failure"]["stderr_tail"])

    def test_an_endless_loop_meets_the_load_deadline(self):
        health = self.until_told(lambda: self.load(
            at_import("while True: pass"), limits={"load_timeout_seconds": LOAD_TIMEOUT}))
        self.assert_failed_to_load(health, "TimeoutError", "stage=load",
                                   "It was in plugin.py line 2: while True: pass")

    def test_too_much_memory_is_a_memory_kill(self):
        health = self.load(at_import("x = bytearray(b'x') * (600 << 20)"))
        if self.has_cgroup():
            self.assert_failed_to_load(health, "MemoryLimitExceeded",
                                       "Plugin exceeded 256MB memory limit.", "stage=load")
        else:
            self.assert_failed_to_load(health, "ImportError", "MemoryError", "line 2")

    def test_a_file_that_is_missing_is_named(self):
        health = self.load(GOOD, entrypoint="plugn.py")
        self.assertEqual(health["state"], "FAILED")
        self.assertIn("plugn.py", health["reason"])

    def test_a_module_without_a_plugin_names_what_is_missing(self):
        self.assert_failed_to_load(self.load("class Plugins:\n    pass\n"), "ImportError",
                                   "plugin.py has no class Plugin")

    def test_a_wrong_class_in_the_entry_point_is_named(self):
        self.assert_failed_to_load(self.load(GOOD, entrypoint="plugin:Plugn", runtime="python"),
                                   "ImportError", "no class Plugn")


class Dependencies(PythonCase):
    FILES = [("evil/__init__.py", "x = 1\n"), ("evil/sub.py", "y = 2\n")]

    def test_one_that_lies_in_the_folder_is_there(self):
        health = self.load("import evil.sub\n" + GOOD, files=self.FILES,
                           dependencies=["evil", "evil.sub"])
        self.assertEqual(health["state"], "INITIALIZED", health["reason"])

    def test_a_module_that_its_package_lacks_is_nothing_to_install(self):
        health = self.load(GOOD, files=self.FILES, dependencies=["evil.other", "json.nothing"])
        self.assertEqual(health["state"], "UNAVAILABLE")
        self.assertRegex(health["reason"], r"""\AImportError: No module named 'evil\.other'\. The """
                         r"package 'evil' is there, but has no such module\. \(the plugin's folder\)"
                         r"; ImportError: No module named 'json\.nothing'\. The package 'json' is "
                         r"there, but has no such module\. \(/.*/json\)\Z")


class Init(PythonCase):
    def assert_init_error(self, source, *words):
        health = self.load(source)
        self.assert_failed_to_load(health, "InitError", *words)
        return health

    def test_an_exception_in_the_constructor_has_class_message_and_place(self):
        self.assert_init_error(GOOD.replace("super().__init__()", "self.nothing.at_all()"),
                               "AttributeError", "'nothing'", "plugin.py", "line 10")

    def test_an_exception_in_on_load_has_class_message_and_place(self):
        self.assert_init_error(at("on_load", "raise FileNotFoundError(2, 'No such file', 'm.pt')"),
                               "FileNotFoundError", "m.pt", "plugin.py")

    def test_a_module_that_on_load_misses_is_named_with_the_command(self):
        self.assert_init_error(at("on_load", "import no_such_module_7"),
                               "No module named 'no_such_module_7'. "
                               "Install with: pip install no_such_module_7")

    def test_a_plugin_without_name_is_told_so(self):
        self.assert_init_error(GOOD.replace('    name = "p"\n', ""), "name is not a string")

    def test_a_tool_without_its_method_is_named(self):
        self.assert_init_error(GOOD.replace("def greet", "def grete"), "tools['greet']",
                               "no callable handler")

    def test_tools_that_are_a_list_are_told(self):
        self.assert_init_error(GOOD.replace('{"greet": {"handler": "greet"}}', '["greet"]'),
                               "tools is not a dict")

    def test_an_abstract_plugin_is_told(self):
        self.assert_init_error("import abc\n\n\nclass Plugin(abc.ABC):\n    @abc.abstractmethod\n"
                               "    def greet(self):\n        pass\n", "TypeError", "abstract")

    def test_sys_exit_in_the_constructor_is_told(self):
        self.assert_init_error(at("on_load", "sys.exit('no licence')"), "SystemExit",
                               "no licence")

    def test_an_exit_in_the_constructor_is_no_success(self):
        self.assert_failed_to_load(self.load(at("on_load", "os._exit(0)")), "PluginCrashed",
                                   "exited 0", "stage=init")

    def test_a_segfault_in_the_constructor_is_a_crash_in_init(self):
        health = self.load(at("on_load", "ctypes.string_at(0)"))
        self.assert_failed_to_load(health, "PluginCrashed", "signal 11 (SIGSEGV)", "stage=init")
        self.assertIn("in on_load", health["last_failure"]["stderr_tail"])

    def test_a_constructor_that_hangs_meets_the_load_deadline(self):
        health = self.until_told(lambda: self.load(
            at("on_load", "time.sleep(100)"), limits={"load_timeout_seconds": LOAD_TIMEOUT}))
        self.assert_failed_to_load(health, "TimeoutError", "stage=init",
                                   ", in on_load: time.sleep(100)")
        self.assertIn("in on_load", health["last_failure"]["stderr_tail"])

    def test_a_tool_in_the_manifest_that_the_plugin_lacks_is_named(self):
        health = self.load(GOOD, tools=[{"name": "greet"}, {"name": "shout"}])
        self.assert_failed_to_load(health, "ValidationError", "shout")


class Validate(PythonCase):
    def assert_validation_error(self, line, *words):
        self.assert_failed_to_load(self.load(at("validate", line)), "ValidationError", *words)

    def test_an_exception_has_class_message_and_place(self):
        self.assert_validation_error("raise RuntimeError('the flux is off by 7')",
                                     "RuntimeError: the flux is off by 7", "plugin.py")

    def test_an_assertion_names_its_line(self):
        self.assert_validation_error("assert 1 == 2", "AssertionError", "assert 1 == 2")

    def test_false_is_a_failure(self):
        self.assert_validation_error("return False", "validate() returned False")

    def test_another_type_is_a_failure(self):
        self.assert_validation_error("return 'well'", "validate() returned a str")

    def test_true_and_nothing_are_well(self):
        for line in ("return True", "return None"):
            with self.subTest(line=line):
                self.assertEqual(self.load(at("validate", line))["state"], "INITIALIZED")

    def test_an_async_self_test_is_waited_for(self):
        source = at("validate", "raise RuntimeError('later')")
        health = self.load(source.replace("def validate", "async def validate"))
        self.assert_failed_to_load(health, "ValidationError", "RuntimeError: later")

    def test_sys_exit_is_no_success(self):
        self.assert_validation_error("sys.exit()", "SystemExit", "sys.exit()")

    def test_a_crash_is_a_crash_in_validate(self):
        self.assert_failed_to_load(self.load(at("validate", "os.abort()")), "PluginCrashed",
                                   "signal 6 (SIGABRT)", "stage=validate")

    def test_a_hang_meets_the_load_deadline(self):
        health = self.until_told(lambda: self.load(
            at("validate", "while True: pass"), limits={"load_timeout_seconds": LOAD_TIMEOUT}))
        self.assert_failed_to_load(health, "TimeoutError", "stage=validate",
                                   ", in validate: while True: pass")


class Mended(PythonCase):
    def test_reload_takes_the_mended_file(self):
        self.assert_failed_to_load(self.load(at_import("import no_such_module_7")), "ImportError",
                                   "no_such_module_7")
        self.python_plugin(GOOD)
        health = self.host.post("/v1/plugins/p/reload").json
        self.assertEqual((health["state"], health["generation"], health["reason"]),
                         ("INITIALIZED", 2, None))
        self.assertEqual(self.host.run("p", "greet").result, {"text": "hello world"})

    def test_the_log_has_what_was_printed_before_and_the_traceback(self):
        self.load(at_import("print('about to fail')\nraise ValueError('now')"))
        log = self.log()
        self.assertIn("about to fail", log)
        self.assertIn("Traceback (most recent call last)", log)
        self.assertIn("plugin.py", log)
        self.assert_readable(log)


if __name__ == "__main__":
    unittest.main()
