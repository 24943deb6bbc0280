"""python_case.py -- Python plugins in a folder of the test's own, under a real host."""
import json
import os

from host import SLOW, HostCase, merged

PYTHON = "/usr/bin/python3"
TIMEOUT = 2 * SLOW  # of plugins that are meant to reach it

TRIES = 6
# Whose words name the fault themselves: its reason has no class in front.
HOSTS_OWN = ("PluginCrashed", "TimeoutError", "MemoryLimitExceeded", "ResourceLimitExceeded",
             "SandboxViolation")

FUNCTIONS = """

import types as _types


class Plugin:
    name = "p"
    tools = {name: function for name, function in list(globals().items())
             if isinstance(function, _types.FunctionType) and function.__module__ == __name__}
"""


def functions(text):
    """A plugin whose tools are the functions of a text."""
    return text + FUNCTIONS


class PythonCase(HostCase):
    def python_plugin(self, source, name="p", files=(), **manifest):
        """A plugin folder with this plugin.py. files: (path, text). Returns its path."""
        folder = os.path.join(self.plugins, name)
        for path, text in [("plugin.py", source), *files]:
            path = os.path.join(folder, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        base = {"name": name, "version": "1.0.0", "entrypoint": "plugin.py",
                "limits": {"memory_mb": 256}}
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as f:
            json.dump(merged(base, manifest), f, indent=1)
        for parent, folders, names in os.walk(folder):
            os.chmod(parent, 0o755)
            for each in names:
                if not os.path.islink(os.path.join(parent, each)):
                    os.chmod(os.path.join(parent, each), 0o644)
        return folder

    def load(self, source, *args, files=(), env=None, **manifest):
        """The health of plugin `p` once loading has ended, beside a native one that is well."""
        self.python_plugin(source, files=files, **manifest)
        self.plugin("well", like="crashtest")
        self.host = self.serve(*args, env=env)
        return self.host.health("p")

    def start(self, text, *args, **manifest):
        """A host with a plugin `p` whose tools are the functions of the text."""
        health = self.load(functions(text), *args, **manifest)
        self.assertEqual(health["state"], "INITIALIZED", health["reason"])
        return self.host

    def log(self, name="p"):
        lines = self.host.get(f"/v1/plugins/{name}/logs").json["lines"]
        return "\n".join(line["text"] for line in lines)

    def assert_failed_to_load(self, health, error_type, *words):
        self.assertEqual((health["state"], health["last_failure"]["error_type"]),
                         ("FAILED", error_type), health)
        for word in words:
            self.assertIn(word, health["reason"])
        self.assertEqual(health["instances"], [])
        self.assert_error(self.host.run("p", "greet"), 503, "PluginUnavailable", words[0])
        self.assertEqual(self.host.run("well", "echo", {"a": 1}).result, {"a": 1})
        self.assert_readable(health["reason"])

    def assert_broke(self, answer, error_type, *words, status=502, state="FAILED"):
        """An undeclared failure of a tool of `p`: the answer, and what became of the plugin."""
        self.assert_error(answer, status, error_type)
        for word in words:
            self.assertIn(word, answer.error)
        health = self.host.health("p")
        self.assertEqual((health["state"], health["error_count"]), (state, 1), health)
        if state == "FAILED":
            self.assertEqual(health["last_failure"]["error_type"], error_type)
            self.assert_reason(health["reason"], answer)
        self.assertEqual(self.host.run("well", "echo", {"a": 1}).result, {"a": 1})
        self.assert_readable(answer.error)
        return health

    def assert_reason(self, reason, answer):
        """The words; of an exception behind its class, and before its place where that is known."""
        words = answer.error
        if answer.error_type not in HOSTS_OWN:
            words = f"{answer.error_type}: {words}"
        self.assertEqual(reason[:len(words)], words[:1023])
        self.assertRegex(reason[len(words):], r"\A( \([^\s]+ line \d+(, in [^\n]+)?\))?\Z")

    def until_told(self, ask):
        """What ask() gives, an object whose str() says where the plugin hung. It has 50 ms to tell that,
        which a busy machine need not give it: then it is asked anew."""
        for _ in range(TRIES):
            said = ask()
            if "It was in" in str(said):
                break
        return said

    def has_cgroup(self, name="p"):
        """Is memory limited by a cgroup? Otherwise Python itself is refused it: a MemoryError."""
        return self.host.health(name)["isolation"]["memory"].startswith("cgroup")

    def assert_readable(self, text):
        """Nothing of the machinery in what a plugin's author reads."""
        for inner in ("forgesyte_worker/", "<frozen", "runpy", "\x1b"):
            self.assertNotIn(inner, text)
