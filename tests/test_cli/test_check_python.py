"""test_check_python.py -- `forgesyte check` of Python plugins: what their source and their interpreter
tell before they are loaded, without a line of theirs being run."""
import json
import os
import subprocess
import unittest

from host import FORGESYTE, HostCase, PATIENCE, environment, merged, need_nobody

OK, PLUGIN = 0, 3
RUNS = "\nraise SystemExit('this is run')\n\n\nclass Plugin:\n    tools = {}\n"


class CheckCase(HostCase):
    def python_plugin(self, source, name="p", files=(), **manifest):
        folder = os.path.join(self.plugins, name)
        for path, text in [("plugin.py", source), *files]:
            if text is None:
                continue
            path = os.path.join(folder, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(text if isinstance(text, bytes) else text.encode())
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as f:
            json.dump(merged({"name": name, "version": "1.0.0", "entrypoint": "plugin.py"}, manifest),
                      f)
        for parent, _, names in os.walk(folder):
            os.chmod(parent, 0o755)
            for each in names:
                os.chmod(os.path.join(parent, each), 0o644)
        return folder

    def forgesyte(self, *args, **env):
        done = subprocess.run([FORGESYTE, "check", *args], env=environment(NO_COLOR="1", **env),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=4 * PATIENCE, check=False)
        return done.returncode, done.stdout, done.stderr

    def check(self, source, name="p", files=(), code=PLUGIN, **manifest):
        """The lines about one plugin, and its object of the JSON form."""
        folder = self.python_plugin(source, name, files, **manifest)
        status, out, err = self.forgesyte(folder)
        self.assertEqual((status, err), (code, ""), out)
        lines = [line for line in out.splitlines() if line.startswith(name + ": ")]
        status, out, err = self.forgesyte(folder, "--format", "json")
        self.assertEqual((status, err), (code, ""), out)
        found, = json.loads(out)
        self.assertEqual((found["name"], found["ok"], found["state"] is None),
                         (name, code == OK, code == OK))
        self.assertEqual(len(lines), len(found["problems"]) + len(found["notes"])
                         + (found["state"] == "UNAVAILABLE"), (lines, found))
        return lines, found


class Source(CheckCase):
    def test_a_plugin_that_is_well_is_not_run(self):
        lines, found = self.check("import json\n" + RUNS, code=OK)
        self.assertEqual((lines, found["reason"], found["problems"], found["notes"]),
                         ([], None, [], []))

    def test_a_missing_file_is_named(self):
        lines, found = self.check(None, files=[("other.py", "")])
        self.assertEqual(lines, ["p: plugin.py: there is no such file in the plugin's folder"])
        self.assertEqual(found["state"], "FAILED")

    def test_a_binary_file_is_named(self):
        lines, _ = self.check(b"\x7fELF\x02\x01\x01\0\0\0")
        self.assertEqual(lines, ["p: plugin.py: it is not Python source but binary "
                                 "(byte 8 is NUL)"])

    def test_a_syntax_error_is_shown_with_its_line(self):
        lines, found = self.check("import os\ndef f(:\n    pass\n")
        self.assertEqual(lines, ["p: plugin.py:2: SyntaxError: invalid syntax: def f(:"])
        self.assertEqual(found["problems"][0]["place"], "plugin.py:2")

    def test_no_class_is_told(self):
        lines, _ = self.check("x = 1\n")
        self.assertEqual(lines, ["p: plugin.py: it has no class Plugin"])

    def test_what_is_not_installed_is_told_with_the_command_for_the_plugins_python(self):
        lines, found = self.check("import os, no_such_7\nfrom fitz import x\n\n\ndef f():\n"
                                  "    import no_such_8\n" + RUNS)
        self.assertEqual(lines, [
            "p: plugin.py:1: No module named 'no_such_7'. Install with: python3 -m pip install "
            "no_such_7",
            "p: plugin.py:2: No module named 'fitz'. Install with: python3 -m pip install pymupdf",
            "p: note: plugin.py:6: 'no_such_8' is imported only where it is needed, and is not "
            "installed. Install with: python3 -m pip install no_such_8"])
        self.assertEqual(found["problems"][1]["install"], "python3 -m pip install pymupdf")
        self.assertEqual([note["place"] for note in found["notes"]], ["plugin.py:6"])
        self.assertIn("'no_such_7'", found["reason"])

    def test_notes_alone_leave_it_well(self):
        lines, found = self.check("try:\n    import no_such_7\nexcept ImportError:\n    pass\n" + RUNS,
                                  code=OK)
        self.assertEqual(len(lines), 1)
        self.assertTrue(lines[0].startswith("p: note: plugin.py:2: 'no_such_7'"), lines)
        self.assertEqual((found["reason"], len(found["notes"])), (None, 1))

    def test_dependencies_and_source_are_told_together(self):
        lines, found = self.check("import no_such_7, no_such_8\n" + RUNS,
                                  dependencies=["no_such_7"])
        self.assertEqual(found["state"], "UNAVAILABLE")
        self.assertEqual(len(lines), 2)
        self.assertIn("pip install no_such_7", lines[0])
        self.assertIn("plugin.py:1: No module named 'no_such_8'", lines[1])

    def test_text_of_a_plugin_cannot_draw_on_the_terminal(self):
        lines, _ = self.check("x = 1 1 # \x1b[31m\x07 \xff\n".encode("latin-1"))
        self.assertNotIn("\x1b", lines[0])
        lines, _ = self.check("x = '\x1b[31m' '\n")
        self.assertNotIn("\x1b", lines[0])

    def test_several_are_told_apart(self):
        self.python_plugin("import no_such_7\n" + RUNS, "a")
        self.python_plugin(RUNS, "b")
        status, out, _ = self.forgesyte(self.plugins)
        self.assertEqual(status, PLUGIN)
        self.assertRegex(out, r"(?m)^a +1\.0\.0 +FAILED$")
        self.assertRegex(out, r"(?m)^b +1\.0\.0 +ok$")
        self.assertNotIn("b: ", out)

    @need_nobody
    def test_an_ordinary_user_without_namespaces_is_told_the_same(self):
        folder = self.python_plugin("import no_such_7\n" + RUNS)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                               FORGESYTE, "check", folder], stdout=subprocess.PIPE, text=True,
                              env=environment(FORGESYTE_FAKE_MISSING="userns"),
                              timeout=4 * PATIENCE, check=False)
        self.assertEqual(done.returncode, PLUGIN)
        self.assertIn("plugin.py:1: No module named 'no_such_7'", done.stdout)


class Interpreter(CheckCase):
    def make_venv(self, folder):
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", folder], check=True)
        for parent, _, _ in os.walk(folder):
            os.chmod(parent, 0o755)

    def test_one_that_is_missing_is_named(self):
        lines, _ = self.check(RUNS, python="/nowhere/bin/python")
        self.assertEqual(lines, ["p: python: the interpreter /nowhere/bin/python cannot be started: "
                                 "No such file or directory"])
        lines, _ = self.check(RUNS, python="venv/bin/python")
        self.assertEqual(lines, ["p: python: there is no interpreter venv/bin/python in the plugin's "
                                 "folder. Make it there with: python3 -m venv venv"])
        lines, _ = self.check(RUNS, python="python3.77")
        self.assertEqual(lines, ["p: python: python3.77 is not on PATH"])

    def test_one_that_is_no_python_is_told(self):
        lines, _ = self.check(RUNS, python="/bin/false")
        self.assertEqual(lines, ["p: python: /bin/false exited with code 1"])
        lines, _ = self.check(RUNS, python="/usr/bin/expr")
        self.assertIn("/usr/bin/expr exited with code 2: /usr/bin/expr: syntax error", lines[0])

    def test_one_in_the_plugins_folder_is_named_by_the_path_that_starts_it_here(self):
        self.python_plugin("")
        folder = os.path.join(self.plugins, "p")
        self.make_venv(os.path.join(folder, "venv"))
        with open(os.path.join(folder, "plugin.py"), "w", encoding="ascii") as f:
            f.write("import no_such_7\n" + RUNS)
        with open(os.path.join(folder, "manifest.json"), "w", encoding="ascii") as f:
            json.dump({"name": "p", "version": "1", "entrypoint": "plugin.py",
                       "python": "venv/bin/python"}, f)
        status, out, _ = self.forgesyte(folder)
        self.assertEqual(status, PLUGIN)
        command = f"{folder}/venv/bin/python -m pip install no_such_7"
        self.assertIn(f"Install with: {command}\n", out)
        # It is the command for that interpreter: what it installs there is found.
        packages, = (os.path.join(parent, "site-packages") for parent, names, _ in os.walk(folder)
                     if "site-packages" in names)
        with open(os.path.join(packages, "no_such_7.py"), "w", encoding="ascii") as f:
            f.write("raise SystemExit\n")
        self.assertEqual(self.forgesyte(folder)[0], OK)

    def test_the_operators_python_is_asked_where_the_manifest_names_none(self):
        venv = os.path.join(self.folder, "venv")
        self.make_venv(venv)
        folder = self.python_plugin("import no_such_7\n" + RUNS)
        status, out, _ = self.forgesyte(folder, "--python", os.path.join(venv, "bin", "python"))
        self.assertEqual(status, PLUGIN)
        self.assertIn(f"{venv}/bin/python -m pip install no_such_7", out)


if __name__ == "__main__":
    unittest.main()
