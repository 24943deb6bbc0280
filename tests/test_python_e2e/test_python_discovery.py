"""test_python_discovery.py -- plugins that are packages of an interpreter, found by their entry points.

The interpreter is a venv of the test's own; its packages are written by hand, as pip would leave
them.
"""
import json
import os
import shutil
import subprocess
import unittest

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
