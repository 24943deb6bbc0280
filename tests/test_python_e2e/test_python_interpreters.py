"""test_python_interpreters.py -- whose Python runs a plugin: Debian's, a venv's in the plugin's folder or
elsewhere, one made from an installation outside /usr; what its box then shows, and what it does not."""
import json
import os
import shutil
import stat
import subprocess
import unittest

import pythons
from host import need_nobody
from python_case import PYTHON, PythonCase, functions

HANDMADE = "import os\n\nVALUE = 42\nWHERE = os.path.dirname(__file__)\n"
TEXT = """
import os
import sys


def who():
    import handmade
    return {"executable": sys.executable, "prefix": sys.prefix, "base": sys.base_prefix,
            "value": handmade.VALUE}


def look(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError as e:
        return type(e).__name__


def names(path):
    try:
        return sorted(os.listdir(path))
    except OSError as e:
        return type(e).__name__
"""
NEEDED_BY_NOBODY = ("test", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "pydoc_data",
                    "__pycache__", "dist-packages", "site-packages", "config-*", "*.a")


def ask(python, expression):
    return subprocess.run([python, "-c", f"import os, site, sys, sysconfig; print({expression})"],
                          stdout=subprocess.PIPE, check=True, text=True).stdout.strip()


def open_up(folder):
    """What it holds may be read by all: workers have users of their own."""
    for parent, folders, names in os.walk(folder):
        for name in [".", *names]:
            path = os.path.join(parent, name)
            if not os.path.islink(path):
                more = 0o555 if os.path.isdir(path) or os.access(path, os.X_OK) else 0o444
                os.chmod(path, os.stat(path).st_mode | more)


def make_venv(folder, python=PYTHON, package="handmade", text=HANDMADE):
    """A venv with a package in it; its interpreter."""
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    made = os.path.join(folder, "bin", "python")
    where = ask(made, "sysconfig.get_path('purelib')")
    os.makedirs(os.path.join(where, package), exist_ok=True)
    with open(os.path.join(where, package, "__init__.py"), "w", encoding="utf-8") as f:
        f.write(text)
    open_up(folder)
    return made


def copy_installation(folder):
    """Python as if it were installed in a folder outside /usr; its interpreter, None: not to be had."""
    stdlib = ask(PYTHON, "sysconfig.get_path('stdlib')")
    made = os.path.join(folder, "bin", "python3")
    os.makedirs(os.path.dirname(made))
    shutil.copy(os.path.realpath(PYTHON), made)
    shutil.copytree(stdlib, os.path.join(folder, "lib", os.path.basename(stdlib)),
                    symlinks=False, ignore=shutil.ignore_patterns(*NEEDED_BY_NOBODY))
    open_up(folder)
    try:
        lies = ask(made, "sys.prefix == sys.argv[0] or sys.prefix")
    except subprocess.CalledProcessError:
        return None
    return made if lies == folder else None


class Interpreters(PythonCase):
    def secret(self, *path):
        path = os.path.join(self.folder, *path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as f:
            f.write("canary")
        os.chmod(path, 0o644)
        return path

    def assert_hidden(self, path):
        """Where a box has a root of its own; elsewhere Landlock says no."""
        self.assertIn(self.host.run("p", "look", {"path": path}).result,
                      ("FileNotFoundError", "PermissionError", "NotADirectoryError"))

    def who(self):
        return self.host.run("p", "who").result

    def test_without_a_word_it_is_the_systems(self):
        self.start(TEXT.replace("handmade.VALUE", "0").replace("import handmade", "pass"))
        self.assertTrue(self.who()["prefix"].startswith("/usr"))

    def test_a_venv_in_the_plugins_folder_has_its_packages(self):
        folder = self.python_plugin(functions(TEXT), python="venv/bin/python",
                                    dependencies=["handmade"])
        make_venv(os.path.join(folder, "venv"))
        secret = self.secret("plugins", "other", "secret")
        self.host = self.serve()
        self.assertEqual(self.host.state("p"), "INITIALIZED", self.host.health("p")["reason"])
        who = self.who()
        self.assertEqual((who["value"], who["base"]), (42, "/usr"))
        self.assertTrue(who["prefix"].endswith("/venv"), who)
        self.assert_hidden(secret)

    def test_a_venv_elsewhere_is_shown_and_nothing_beside_it(self):
        python = make_venv(os.path.join(self.folder, "envs", "mine"))
        secret = self.secret("envs", "secret")
        self.start(TEXT, python=python, dependencies=["handmade"])
        who = self.who()
        self.assertEqual((who["value"], who["executable"]), (42, python))
        self.assert_hidden(secret)
        self.assert_hidden(self.secret("secret"))
        self.assertIn(self.host.run("p", "names", {"path": self.folder + "/envs"}).result,
                      (["mine"], "PermissionError"))

    def test_a_venv_cannot_be_written_to(self):
        python = make_venv(os.path.join(self.folder, "envs", "mine"))
        self.start(TEXT + "\n\ndef write(path):\n    try:\n        open(path, 'w')\n"
                   "    except OSError as e:\n        return type(e).__name__\n", python=python)
        self.assertIn(self.host.run("p", "write", {"path": self.folder + "/envs/mine/x"}).result,
                      ("OSError", "PermissionError"))

    def test_a_venv_of_an_installation_outside_usr_has_what_it_was_made_from(self):
        base = copy_installation(os.path.join(self.folder, "opt", "python"))
        if not base:
            self.skipTest("this Python cannot be moved")
        secret = self.secret("opt", "secret")
        python = make_venv(os.path.join(self.folder, "envs", "mine"), base)
        self.start(TEXT, python=python)
        who = self.who()
        self.assertEqual((who["value"], who["base"]), (42, os.path.join(self.folder, "opt/python")))
        self.assert_hidden(secret)
        folder = self.python_plugin(functions(TEXT), "q", python="venv/bin/python")
        make_venv(os.path.join(folder, "venv"), base)
        self.assertEqual(self.host.post("/v1/plugins/reload-all").status, 200)
        self.assertEqual(self.host.run("q", "who").result["value"], 42)

    def test_a_link_to_an_installation_shows_not_the_folder_it_lies_in(self):
        """~/.local/bin/python3.12, ~/python: links of uv's and people's making."""
        base = copy_installation(os.path.join(self.folder, "opt", "python"))
        if not base:
            self.skipTest("this Python cannot be moved")
        for path in ("home/me/.local/bin/python3", "home/me/python3"):
            with self.subTest(path=path):
                link = os.path.join(self.folder, path)
                os.makedirs(os.path.dirname(link), exist_ok=True)
                os.symlink(base, link)
                self.start(TEXT.replace("handmade.VALUE", "0").replace("import handmade", "pass"),
                           python=link)
                self.assertEqual(self.who()["base"], os.path.join(self.folder, "opt/python"))
                self.assert_hidden(self.secret("home/me/secret"))
                self.assert_hidden(self.secret("home/me/.local/share/secret"))

    def home_with_links(self):
        """An installation as uv puts it, with the links to it that people have: ~/.local/bin's to a folder
        that is a link itself, and ~/bin's to that one. The last link, or None."""
        base = copy_installation(os.path.join(self.folder, "home/.local/share/uv/python/cpython-3.x.1"))
        if not base:
            return None
        os.symlink("cpython-3.x.1", os.path.join(self.folder, "home/.local/share/uv/python/cpython-3.x"))
        first = os.path.join(self.folder, "home/.local/bin/python3.x")
        last = os.path.join(self.folder, "home/bin/python3")
        for link, to in ((first, "../share/uv/python/cpython-3.x/bin/python3"),
                         (last, "../.local/bin/python3.x")):
            os.makedirs(os.path.dirname(link))
            os.symlink(to, link)
        return last

    def test_a_venv_made_through_links_shows_the_links_and_not_the_home(self):
        link = self.home_with_links()
        if not link:
            self.skipTest("this Python cannot be moved")
        for i, start in enumerate((link, os.path.join(self.folder, "home/.local/bin/python3.x"))):
            python = make_venv(os.path.join(self.folder, f"envs/mine{i}"), start)
            with self.subTest(python=python):
                self.start(TEXT, python=python)
                who = self.who()
                self.assertEqual((who["value"], who["executable"]), (42, python))
                self.assert_hidden(self.secret("home/secret"))
                self.assert_hidden(self.secret("home/bin/secret"))
                self.assert_hidden(self.secret("home/.local/bin/secret"))
                self.assert_hidden(self.secret("home/.local/share/secret"))
                self.assertIn(self.host.run("p", "names", {"path": self.folder + "/home"}).result,
                              ([".local", "bin"], [".local"], "PermissionError"))

    def test_a_venv_in_the_plugins_folder_made_through_links_runs(self):
        link = self.home_with_links()
        if not link:
            self.skipTest("this Python cannot be moved")
        folder = self.python_plugin(functions(TEXT), python="venv/bin/python",
                                    dependencies=["handmade"])
        make_venv(os.path.join(folder, "venv"), link)
        self.host = self.serve()
        self.assertEqual(self.host.state("p"), "INITIALIZED", self.host.health("p")["reason"])
        self.assertEqual(self.who()["value"], 42)

    @need_nobody
    def test_an_ordinary_user_has_venvs_made_through_links(self):
        link = self.home_with_links()
        if not link:
            self.skipTest("this Python cannot be moved")
        python = make_venv(os.path.join(self.folder, "envs/mine"), link)
        for env in ({}, {"FORGESYTE_FAKE_MISSING": "userns"}):
            with self.subTest(env=env):
                self.python_plugin(functions(TEXT), python=python)
                self.host = self.serve(env=env, as_nobody=True)
                self.assertEqual(self.host.state("p"), "INITIALIZED",
                                 self.host.health("p")["reason"])
                self.assertEqual(self.who()["value"], 42)
                self.assert_hidden(self.secret("home/.local/bin/secret"))

    def test_a_venv_reached_through_a_link_to_its_folder_has_its_packages(self):
        make_venv(os.path.join(self.folder, "envs", "mine"))
        os.symlink("envs/mine", os.path.join(self.folder, "current"))
        self.start(TEXT, python=os.path.join(self.folder, "current", "bin", "python"))
        self.assertEqual(self.who()["value"], 42)

    def test_an_installed_python_of_a_user_runs_plugins(self):
        """pyenv's and uv's, where there are any."""
        homes = [os.path.expanduser(path) for path in ("~/.pyenv/versions", "~/.local/share/uv/python")]
        found = [os.path.join(home, name, "bin", "python3") for home in homes
                 if os.path.isdir(home) for name in sorted(os.listdir(home))]
        able = [path for path in found if os.access(path, os.X_OK) and
                (pythons.version_of(path) or (0, 0)) >= pythons.OLDEST]
        able += [path for path in pythons.named() if path not in able]
        if not able:
            self.skipTest("no Python of a user's own (pyenv, uv, FORGESYTE_TEST_PYTHONS)")
        for i, path in enumerate(able):
            self.python_plugin(functions("def version():\n    import sys, ssl, json\n"
                                         "    return sys.version_info[:2]\n"), f"v{i}", python=path)
        self.host = self.serve()
        for i, path in enumerate(able):
            with self.subTest(path=path):
                self.assertEqual(self.host.state(f"v{i}"), "INITIALIZED",
                                 self.host.health(f"v{i}")["reason"])
                self.assertEqual(tuple(self.host.run(f"v{i}", "version").result),
                                 pythons.version_of(path))

    def test_the_operators_python_is_that_of_plugins_that_name_none(self):
        python = make_venv(os.path.join(self.folder, "envs", "mine"))
        self.start(TEXT, "--python", python)
        self.assertEqual(self.who()["executable"], python)

    def test_a_relative_path_on_the_command_line_begins_where_that_was_given(self):
        python = make_venv(os.path.join(self.folder, "envs", "mine"))
        self.start(TEXT, "--python", os.path.relpath(python))
        self.assertEqual(self.who()["value"], 42)

    def test_a_relative_link_leads_out_of_a_folder(self):
        """As from a venv that was made with its Python beside it."""
        base = copy_installation(os.path.join(self.folder, "opt", "python"))
        if not base:
            self.skipTest("this Python cannot be moved")
        python = make_venv(os.path.join(self.folder, "envs", "mine"), base)
        for name in ("python", "python3"):
            link = os.path.join(os.path.dirname(python), name)
            if os.path.lexists(link):
                os.unlink(link)
            os.symlink("../../../opt/python/bin/python3", link)
        self.start(TEXT, python=python)
        self.assertEqual(self.who()["value"], 42)

    def test_the_config_file_names_one_for_all_and_one_for_each(self):
        mine = make_venv(os.path.join(self.folder, "envs", "mine"))
        other = make_venv(os.path.join(self.folder, "envs", "other"),
                          text=HANDMADE.replace("42", "43"))
        config = os.path.join(self.folder, "forgesyte.json")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"python": "envs/mine/bin/python",
                       "plugins": {"q": {"python": "envs/other/bin/python"}}}, f)
        self.python_plugin(functions(TEXT), "q")
        self.start(TEXT, "--config", config)
        self.assertEqual((self.who()["executable"], self.who()["value"]), (mine, 42))
        who = self.host.run("q", "who").result
        self.assertEqual((who["executable"], who["value"]), (other, 43))

    @need_nobody
    def test_an_ordinary_user_has_venvs_too(self):
        python = make_venv(os.path.join(self.folder, "envs", "mine"))
        for env in ({}, {"FORGESYTE_FAKE_MISSING": "userns"}):
            with self.subTest(env=env):
                self.python_plugin(functions(TEXT), python=python, dependencies=["handmade"])
                self.host = self.serve(env=env, as_nobody=True)
                self.assertEqual(self.host.state("p"), "INITIALIZED",
                                 self.host.health("p")["reason"])
                self.assertEqual(self.who()["value"], 42)
                self.assert_hidden(self.secret("envs", "secret"))


class Missing(PythonCase):
    def assert_told(self, *words, **manifest):
        health = self.load(functions("def greet():\n    pass\n"), **manifest)
        self.assertEqual(health["state"], "FAILED", health)
        for word in words:
            self.assertIn(word, health["reason"])
        self.assertEqual(self.host.run("well", "echo", {"a": 1}).result, {"a": 1})
        self.assertEqual(health["last_failure"]["error_type"], "ImportError", health)

    def test_one_that_is_missing_is_named(self):
        self.assert_told("/nowhere/bin/python", "No such file", python="/nowhere/bin/python")

    def test_one_that_is_missing_in_the_plugins_folder_is_named(self):
        self.assert_told("there is no interpreter venv/bin/python in the plugin's folder",
                         "python3 -m venv venv", python="venv/bin/python")

    def test_a_command_that_is_missing_is_named(self):
        self.assert_told("python3.77", "No such file", python="python3.77")

    def test_one_that_may_not_be_run_is_named(self):
        path = os.path.join(self.folder, "python")
        with open(path, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\n")
        os.chmod(path, stat.S_IRUSR)
        self.assert_told(path, "Permission denied", python=path)

    def test_one_that_is_no_python_is_told(self):
        self.assert_told("exited with code 0", "stage=load", python="/usr/bin/true")

    def test_one_whose_installation_is_gone_says_so(self):
        folder = self.python_plugin("", python="venv/bin/python")
        os.makedirs(os.path.join(folder, "venv", "bin"))
        gone = os.path.join(self.folder, "gone", "bin", "python3")
        os.symlink("python3", os.path.join(folder, "venv", "bin", "python"))
        os.symlink(gone, os.path.join(folder, "venv", "bin", "python3"))
        self.assert_told("venv/bin/python", f"is a link to {gone}, which is not there",
                         python="venv/bin/python")

    def test_a_package_that_the_venv_lacks_is_named_with_the_right_command(self):
        python = make_venv(os.path.join(self.folder, "envs", "mine"))
        health = self.load(functions("import no_such_module_7\n"), python=python)
        self.assert_failed_to_load(health, "ImportError",
                                   "No module named 'no_such_module_7'. Install with: pip install "
                                   "no_such_module_7", f"{python} -m pip install no_such_module_7")

    def test_a_dependency_that_the_venv_lacks_is_unavailable(self):
        python = make_venv(os.path.join(self.folder, "envs", "mine"))
        health = self.load(functions("import no_such_module_7\n"), python=python,
                           dependencies=["handmade", "no_such_module_7"])
        self.assertEqual(health["state"], "UNAVAILABLE")
        self.assertIn("ImportError: No module named 'no_such_module_7'. Install with: pip install "
                      "no_such_module_7", health["reason"])
        self.assertNotIn("handmade", health["reason"])


if __name__ == "__main__":
    unittest.main()
