"""test_python_discovery.py -- plugins that are packages of an interpreter, found by their entry points.

The interpreter is a venv of the test's own; its packages are written by hand, as pip would leave
them.
"""
import contextlib
import errno
import json
import os
import shutil
import subprocess
import unittest

from faults import Faults
from host import FORGESYTE, HostCase, PATIENCE, environment

PLUGIN = """
class Plugin:
    name = "found"

    def __init__(self):
        self.tools = {"echo": {"description": "says it again", "handler": "echo",
                               "input_schema": {"text": "string?"}}}

    def echo(self, **args):
        return {"said": args}

    def run_tool(self, tool, args):
        return self.echo(**args)
"""
MANIFEST = {"id": "tracker-own", "name": "Tracker", "version": "3.0", "license": "MIT",
            "entrypoint": "tracker.plugin",
            "tools": [{"id": "echo", "inputs": {"text": "string"}}]}


MOST = 100  # allocations that are made to fail


class DiscoveryCase(HostCase):
    def setUp(self):
        super().setUp()
        self.venv = os.path.realpath(os.path.join(self.folder, "venv"))
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", self.venv], check=True)
        self.python = os.path.join(self.venv, "bin", "python")
        lib = os.path.join(self.venv, "lib")
        self.packages = os.path.join(lib, os.listdir(lib)[0], "site-packages")
        self.readable()

    def readable(self):
        for parent, _, names in os.walk(self.venv):
            os.chmod(parent, 0o755)
            for name in names:
                path = os.path.join(parent, name)
                if not os.path.islink(path):
                    os.chmod(path, 0o755)

    def write(self, path, text):
        path = os.path.join(self.packages, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def install(self, name, entry_points, version="2.1", plugin=PLUGIN):
        """A distribution with a package of the same name. entry_points: name -> value."""
        self.write(f"{name}-1.dist-info/METADATA",
                   f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = "".join(f"{key} = {value}\n" for key, value in entry_points.items())
        self.write(f"{name}-1.dist-info/entry_points.txt", f"[forgesyte.plugins]\n{lines}")
        self.write(f"{name}/__init__.py", "")
        self.write(f"{name}/plugin.py", plugin)
        self.readable()

    def uninstall(self, name):
        shutil.rmtree(os.path.join(self.packages, name))
        shutil.rmtree(os.path.join(self.packages, f"{name}-1.dist-info"))

    def start(self, *args, **options):
        self.host = self.serve("--python-plugins", self.python, *args, **options).wait_ready()
        return self.host

    def names(self):
        return [p["name"] for p in self.host.get("/v1/plugins").json["plugins"]]

    def command(self, *args):
        return subprocess.run([FORGESYTE, *args], env=environment(), capture_output=True,
                              text=True, timeout=4 * PATIENCE, check=False)


class Discovery(DiscoveryCase):
    def test_a_package_is_a_plugin(self):
        self.install("demo", {"Demo.Thing": "demo.plugin:Plugin"})
        self.start()
        health = self.host.health("demo-thing")
        self.assertEqual(health["state"], "INITIALIZED", health["reason"])
        self.assertEqual(health["version"], "2.1")
        self.assertEqual(self.host.run("demo-thing", "echo", {"text": "a"}).result,
                         {"said": {"text": "a"}})

    def test_a_user_without_rights_finds_it_too(self):
        self.install("demo", {"demo": "demo.plugin:Plugin"})
        self.start(as_nobody=True)
        self.assertEqual(self.host.run("demo", "echo").result, {"said": {}})

    def test_its_own_manifest_counts(self):
        self.install("tracker", {"other-name": "tracker.plugin:Plugin"})
        self.write("tracker/manifest.json", json.dumps(MANIFEST))
        self.start()
        health = self.host.health("tracker-own")
        self.assertEqual(health["state"], "INITIALIZED", health["reason"])
        self.assertEqual(health["version"], "3.0")
        self.assertEqual(health["description"], "Tracker")
        self.assertEqual(self.names(), ["tracker-own"])
        self.assertEqual(self.host.run("tracker-own", "echo").error_type, "InvalidArguments")
        self.assertEqual(self.host.run("tracker-own", "echo", {"text": "b"}).result,
                         {"said": {"text": "b"}})

    def test_a_bad_manifest_is_a_failed_plugin(self):
        self.install("bad", {"bad": "bad.plugin:Plugin"})
        self.write("bad/manifest.json", '{"id": "bad",\n"version": 1}')
        self.start()
        health = self.host.health("bad")
        self.assertEqual(health["state"], "FAILED")
        self.assertIn("manifest.json: line 2: version: must be a string", health["reason"])

    def test_a_package_that_is_not_there_is_told_in_the_log(self):
        self.install("demo", {"lost": "nowhere.plugin:Plugin", "demo": "demo.plugin:Plugin"})
        self.start()
        self.assertEqual(self.names(), ["demo"])
        self.host.wait_line(r"error python plugins of .*: lost: its package "
                            r"\(nowhere.plugin:Plugin\) was not found")

    def test_names_that_are_taken_are_refused(self):
        self.plugin("demo", like="crashtest")
        self.install("demo", {"demo": "demo.plugin:Plugin"})
        self.start()
        self.assertEqual(self.names(), ["demo", "demo-2"])
        self.assertEqual(self.host.health("demo")["state"], "INITIALIZED")
        self.assertIn("the name 'demo' is taken", self.host.health("demo-2")["reason"])

    def test_packages_come_and_go_with_reload_all(self):
        self.install("one", {"one": "one.plugin:Plugin"})
        self.start()
        self.assertEqual(self.names(), ["one"])
        self.install("two", {"two": "two.plugin:Plugin"})
        self.assertEqual(self.host.post("/v1/plugins/reload-all").status, 200)
        self.assertEqual(self.names(), ["one", "two"])
        self.assertEqual(self.host.health("one")["generation"], 2)
        self.uninstall("one")
        self.install("two", {"two": "two.plugin:Plugin"}, version="2.2")
        self.assertEqual(self.host.post("/v1/plugins/reload-all").status, 200)
        self.assertEqual(self.names(), ["two"])
        self.assertEqual(self.host.health("two")["version"], "2.2")
        self.assertEqual(self.host.health("two")["state"], "INITIALIZED")

    def test_one_is_reloaded_like_any_other(self):
        self.install("demo", {"demo": "demo.plugin:Plugin"})
        self.start()
        self.assertEqual(self.host.post("/v1/plugins/demo/reload").status, 200)
        health = self.host.health("demo")
        self.assertEqual((health["state"], health["generation"]), ("INITIALIZED", 2))

    def test_what_no_package_may_name_is_not_shown_to_it(self):
        # An interpreter that lies: its box shows it no such folder, and so none is shown by it.
        secret = os.path.join(self.folder, "secret")
        os.makedirs(secret)
        fake = os.path.join(self.venv, "bin", "liar")
        with open(fake, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\nprintf '0 \\nx\\tx:Plugin\\t1\\t%s\\n'\n" % os.path.realpath(secret))
        os.chmod(fake, 0o755)
        self.host = self.serve("--python-plugins", fake).wait_ready()
        self.assertEqual(self.names(), [])
        self.host.wait_line("error python plugins of .*liar: x: its package")

    def test_an_interpreter_that_fails_keeps_nobody_from_being_served(self):
        self.plugin("well", like="crashtest")
        self.host = self.serve("--python-plugins", "/bin/false",
                               "--python-plugins", "/no/such/python").wait_ready()
        self.assertEqual(self.host.health("well")["state"], "INITIALIZED")
        self.host.wait_line("error python plugins of .*false: .* exited with code 1")
        self.host.wait_line("error python plugins of /no/such/python: No such file")

    def test_the_end_does_not_wait_for_an_answer(self):
        fake = os.path.join(self.venv, "bin", "slow")
        with open(fake, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\nexec sleep 1000\n")
        os.chmod(fake, 0o755)
        self.host = self.serve("--python-plugins", fake, wait=False)
        pending = self.host.get("/readyz?verbose")
        self.assertEqual(pending.status, 503)
        self.assertIn(b"being looked for in", pending.body)


FINDER = """from __future__ import annotations
import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

MAPPING: dict[str, str] = {mapping!r}
NAMESPACES: dict[str, list[str]] = {{}}


class Finder:
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname in MAPPING:
            init = Path(MAPPING[fullname], "__init__.py")
            return spec_from_file_location(fullname, init) if init.exists() else None
        return None


def install():
    if not any(finder == Finder for finder in sys.meta_path):
        sys.meta_path.append(Finder)
"""
PYPROJECT = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "mine"
version = "1.5"

[project.entry-points."forgesyte.plugins"]
mine = "mine.plugin:Plugin"

[tool.setuptools]
packages = ["mine"]
"""
LOOKS = PLUGIN.replace("return {\"said\": args}", """
        try:
            return open(args["text"]).read()
        except OSError as e:
            return type(e).__name__""")


class WithoutMemory(DiscoveryCase):
    def test_no_package_is_lost_for_want_of_memory(self):
        """Allocations fail one after the other while the packages are looked for and loaded anew."""
        faults = Faults(self.folder)
        self.addCleanup(faults.close)
        if not faults.knows_malloc():
            self.skipTest("a sanitizer's malloc is its own")
        self.install("demo", {"demo": "demo.plugin:Plugin"})
        self.install("tracker", {"other-name": "tracker.plugin:Plugin"})
        self.write("tracker/manifest.json", json.dumps(MANIFEST))
        self.start(env=faults.env())
        with faults.armed("malloc", errno.ENOMEM, 1 << 30):
            self.host.post("/v1/plugins/reload-all")
            calls = faults.seen("malloc")
        self.assertGreater(calls, 50)
        for nth in range(1, calls + 1, max(1, calls // MOST)):
            with self.subTest(f"allocation {nth} of {calls} fails"):
                with faults.armed("malloc", errno.ENOMEM, nth), contextlib.suppress(ConnectionError):
                    self.host.post("/v1/plugins/reload-all")
                self.assertTrue(self.host.alive(), self.host.stderr())
                self.assertEqual(self.names(), ["demo", "tracker-own"])
        self.assertEqual(self.host.post("/v1/plugins/reload-all").status, 200)
        self.assertEqual(self.host.run("demo", "echo").result, {"said": {}})
        self.assertEqual(self.host.run("tracker-own", "echo", {"text": "b"}).result, {"said": {"text": "b"}})


class Editable(DiscoveryCase):
    """`pip install -e`: the package lies where its author works on it."""

    def project(self, package="mine"):
        """A project with a package `mine` in it; its folder."""
        project = os.path.join(os.path.realpath(self.folder), "work", "project")
        files = {f"{package}/__init__.py": "", f"{package}/plugin.py": LOOKS,
                 "pyproject.toml": PYPROJECT, "../secret": "canary"}
        if package.startswith("src/"):
            files["pyproject.toml"] += "package-dir = {'' = 'src'}\n"
        for path, text in files.items():
            path = os.path.join(project, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        self.open_up(project)
        return project

    def open_up(self, folder):
        for parent, _, names in os.walk(os.path.dirname(folder)):
            os.chmod(parent, 0o755)
            for name in names:
                os.chmod(os.path.join(parent, name), 0o644)

    def metadata(self, project, where=None):
        where = where or "mine-1.5.dist-info"
        self.write(f"{where}/METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.5\n")
        self.write(f"{where}/entry_points.txt", "[forgesyte.plugins]\nmine = mine.plugin:Plugin\n")
        self.write(f"{where}/direct_url.json",
                   json.dumps({"dir_info": {"editable": True}, "url": "file://" + project}))

    def assert_found_and_shown_alone(self, project, **options):
        self.readable()
        self.start(**options)
        self.assertEqual(self.names(), ["mine"], self.host.stderr())
        health = self.host.health("mine")
        self.assertEqual((health["state"], health["version"]), ("INITIALIZED", "1.5"),
                         health["reason"])
        for path in (os.path.join(os.path.dirname(project), "secret"),
                     os.path.join(self.folder, "other")):
            with open(path, "w", encoding="utf-8") as f:
                f.write("canary")
            self.assertIn(self.host.run("mine", "echo", {"text": path}).result,
                          ("FileNotFoundError", "PermissionError"))

    def test_one_of_a_path_file_is_found(self):
        project = self.project("src/mine")
        self.write("__editable__.mine-1.5.pth", project + "/src\n")
        self.metadata(project)
        self.assert_found_and_shown_alone(project)
        # Its author's next version is one reload away.
        with open(os.path.join(project, "src/mine/plugin.py"), "w", encoding="utf-8") as f:
            f.write(PLUGIN.replace("said", "shouted"))
        self.assertEqual(self.host.post("/v1/plugins/mine/reload").status, 200)
        self.assertEqual(self.host.run("mine", "echo").result, {"shouted": {}})

    def test_one_of_a_finder_is_found_and_its_project_stays_hidden(self):
        project = self.project()
        self.write("__editable__.mine-1.5.pth",
                   "import __editable___mine_1_5_finder; __editable___mine_1_5_finder.install()")
        self.write("__editable___mine_1_5_finder.py",
                   FINDER.format(mapping={"mine": project + "/mine"}))
        self.metadata(project)
        self.assert_found_and_shown_alone(project)
        path = os.path.join(project, "pyproject.toml")
        self.assertIn(self.host.run("mine", "echo", {"text": path}).result,
                      ("FileNotFoundError", "PermissionError"))

    def test_one_of_an_egg_link_is_found(self):
        project = self.project()
        self.write("mine.egg-link", project + "\n.")
        self.write("easy-install.pth", "# made by hand\nimport sys\n" + project + "\n")
        for name, text in (("PKG-INFO", "Metadata-Version: 2.1\nName: mine\nVersion: 1.5\n"),
                           ("entry_points.txt",
                            "[forgesyte.plugins]\nmine = mine.plugin:Plugin\n")):
            path = os.path.join(project, "mine.egg-info", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        self.open_up(project)
        self.assert_found_and_shown_alone(project)

    def test_an_ordinary_user_has_them_too(self):
        project = self.project("src/mine")
        self.write("__editable__.mine-1.5.pth", project + "/src\n")
        self.metadata(project)
        for env in ({}, {"FORGESYTE_FAKE_MISSING": "userns"}):
            with self.subTest(env=env):
                self.assert_found_and_shown_alone(project, as_nobody=True, env=env)

    def test_neither_a_home_nor_the_top_is_shown_for_a_path_file(self):
        project = self.project("src/mine")
        home = os.path.join(os.path.realpath(self.folder), "home")
        os.makedirs(home)
        with open(os.path.join(home, "secret"), "w", encoding="utf-8") as f:
            f.write("canary")
        os.chmod(home, 0o755)
        self.write("__editable__.mine-1.5.pth", f"{project}/src\n/\n/tmp\n/etc\n{home}\n")
        self.metadata(project)
        self.readable()
        self.start(env={"HOME": home})
        self.assertEqual(self.host.state("mine"), "INITIALIZED", self.host.health("mine")["reason"])
        for path in (home + "/secret", "/etc/shadow", "/etc/hostname"):
            self.assertIn(self.host.run("mine", "echo", {"text": path}).result,
                          ("FileNotFoundError", "PermissionError"))

    def test_what_pip_itself_leaves_is_understood(self):
        probe = subprocess.run(["/usr/bin/python3", "-c", "import setuptools, wheel, pip"],
                               stderr=subprocess.DEVNULL, check=False)
        if probe.returncode:
            self.skipTest("no pip, setuptools and wheel of the system's")
        shutil.rmtree(self.venv)
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip",
                        "--system-site-packages", self.venv], check=True)
        for package in ("mine", "src/mine"):
            with self.subTest(package=package):
                shutil.rmtree(os.path.join(self.folder, "work"), ignore_errors=True)
                project = self.project(package)
                done = subprocess.run(
                    [self.python, "-m", "pip", "install", "-q", "--no-index", "--no-deps",
                     "--no-build-isolation", "--disable-pip-version-check", "-e", project],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                    env={**os.environ, "HOME": self.folder, "PIP_ROOT_USER_ACTION": "ignore"})
                self.assertEqual(done.returncode, 0, done.stdout)
                self.open_up(project)
                self.assert_found_and_shown_alone(project)


class Commands(DiscoveryCase):
    def test_check_looks_at_packages_too(self):
        self.install("demo", {"demo": "demo.plugin:Plugin"})
        done = self.command("check", "--python-plugins", self.python, "--format", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([(p["name"], p["ok"]) for p in json.loads(done.stdout)],
                         [("demo", True)])

    def test_check_fails_when_packages_cannot_be_asked_for(self):
        self.assertEqual(self.command("check", "--python-plugins", "/bin/false").returncode, 1)
        self.assertEqual(self.command("check").returncode, 2)

    def test_run_finds_the_plugin_there(self):
        self.install("demo", {"demo": "demo.plugin:Plugin"})
        done = self.command("run", "--plugins", "/no/folder", "--python-plugins", self.python,
                            "demo", "echo", "text=x")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), {"said": {"text": "x"}})


if __name__ == "__main__":
    unittest.main()
