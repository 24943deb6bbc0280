"""test_new_python.py -- what `forgesyte new NAME --python` writes passes its own tests and runs."""
import os
import subprocess
import sys
import unittest

from host import FORGESYTE, ROOT, HostCase, environment

FILES = {"plugin.py", "manifest.json", "README.md", "test_plugin.py"}
PACKAGE = os.path.join(ROOT, "python")


class NewPython(HostCase):
    def command(self, *words, cwd=None, **more):
        """(exit status, stdout and stderr) of a command that sees no forgesyte of the machine's."""
        env = {k: v for k, v in environment().items() if k != "PYTHONPATH"}
        done = subprocess.run(words, cwd=cwd, env={**env, "PATH": "/usr/bin:/bin", **more},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=120, check=False)
        return done.returncode, done.stdout

    def new(self, name):
        status, words = self.command(FORGESYTE, "new", name, "--python", cwd=self.plugins)
        self.assertEqual(status, 0, words)
        return os.path.join(self.plugins, name)

    def own_tests(self, folder, **more):
        status, words = self.command(sys.executable, "-m", "unittest", cwd=folder, **more)
        self.assertEqual(status, 0, words)
        return words

    def test_it_is_these_files_under_its_own_name(self):
        for name in ("hello", "my-plugin_2", "7-of-9"):
            folder = self.new(name)
            self.assertEqual(set(os.listdir(folder)), FILES)
            for file in FILES:
                with open(os.path.join(folder, file), encoding="utf-8") as f:
                    self.assertNotIn("@NAME@", f.read(), file)

    def test_its_own_tests_pass_on_a_machine_without_forgesyte(self):
        self.assertIn("skipped=2", self.own_tests(self.new("my-plugin")))

    def test_its_own_tests_pass_with_the_real_package(self):
        self.own_tests(self.new("my-plugin"), PYTHONPATH=PACKAGE)

    def test_its_own_tests_pass_in_its_box(self):
        self.assertNotIn("skipped", self.own_tests(self.new("my-plugin"), FORGESYTE=FORGESYTE))

    def test_its_own_tests_notice_a_broken_plugin(self):
        folder = self.new("my-plugin")
        with open(os.path.join(folder, "plugin.py"), encoding="utf-8") as file:
            text = file.read().replace("Hello", "Bye")
        with open(os.path.join(folder, "plugin.py"), "w", encoding="utf-8") as file:
            file.write(text)
        self.assertNotEqual(self.command(sys.executable, "-m", "unittest", cwd=folder)[0], 0)

    def test_what_its_readme_says_works(self):
        folder = self.new("7-of-9")
        self.assertEqual(self.command(FORGESYTE, "check", ".", cwd=folder)[0], 0)
        status, words = self.command(FORGESYTE, "run", "--plugins", "..", "7-of-9", "hello",
                                     "name=Ada", cwd=folder)
        self.assertEqual(status, 0, words)
        self.assertIn("Hello, Ada!", words)

    def test_a_host_serves_it(self):
        self.new("my-plugin")
        host = self.serve()
        self.assertEqual(host.state("my-plugin"), "INITIALIZED", host.health("my-plugin")["reason"])
        self.assertEqual(host.run("my-plugin", "hello", {}).result, {"greeting": "Hello, world!"})
        self.assertEqual(host.run("my-plugin", "hello", {"name": " "}).json["error_type"], "NoName")
        self.assertEqual(host.state("my-plugin"), "INITIALIZED")

    def test_check_says_how_to_install_what_it_lacks(self):
        folder = self.new("my-plugin")
        with open(os.path.join(folder, "manifest.json"), "r+", encoding="utf-8") as file:
            text = file.read().replace('"packages": []', '"packages": ["json", "no_such_7"]')
            file.seek(0)
            file.write(text)
        status, words = self.command(FORGESYTE, "check", ".", cwd=folder)
        self.assertEqual(status, 3, words)
        self.assertIn("No module named 'no_such_7'. Install with: pip install no_such_7", words)
        self.assertNotIn("json'", words)

    def test_an_existing_folder_is_left_alone(self):
        self.new("my-plugin")
        status, words = self.command(FORGESYTE, "new", "my-plugin", "--python", cwd=self.plugins)
        self.assertEqual(status, 1)
        self.assertIn("File exists", words)


if __name__ == "__main__":
    unittest.main()
