"""test_commands.py -- the commands against a running host and without one: output and exit codes."""
import json
import os
import subprocess
import unittest

from host import FORGESYTE, ROOT, HostCase, environment

OK, FAILURE, USAGE, PLUGIN, TIMEOUT, TOOL, CONFIG = 0, 1, 2, 3, 4, 5, 78


class Commands(HostCase):
    def forgesyte(self, *args, host=None, stdin=None, cwd=None, **env):
        """(exit status, stdout, stderr) of a command."""
        env = {"NO_COLOR": "1", **({"FORGESYTE_URL": host.url} if host else {}), **env}
        done = subprocess.run([FORGESYTE, *args], input=stdin, env=environment(**env),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              check=False, cwd=cwd)
        return done.returncode, done.stdout.decode(), done.stderr.decode()


class Clients(Commands):
    def setUp(self):
        super().setUp()
        self.plugin("p", like="crashtest", on_error="keep")
        self.plugin("failed", like="stages", env={"STAGE": "init", "HOW": "fail"})
        self.plugin("needy", like="stages", models={"m": "missing.bin"})
        self.plugin("answers", like="answers")
        self.host = self.serve()

    def ask(self, *args, **options):
        return self.forgesyte(*args, host=self.host, **options)

    def test_list_is_a_table_of_names_and_states(self):
        status, out, _ = self.ask("list")
        self.assertEqual(status, OK)
        for name, state in (("p", "INITIALIZED"), ("failed", "FAILED"), ("needy", "UNAVAILABLE")):
            self.assertRegex(out, rf"(?m)^\W*{name}\b.*{state}")

    def test_list_as_json_is_what_the_api_says(self):
        status, out, _ = self.ask("list", "--format", "json")
        self.assertEqual(status, OK)
        listed = json.loads(out)
        plugins = listed["plugins"] if isinstance(listed, dict) else listed
        self.assertEqual([p["name"] for p in plugins], ["answers", "failed", "needy", "p"])

    def test_status_exits_by_the_plugins_state(self):
        status, out, _ = self.ask("status", "p")
        self.assertEqual(status, OK)
        self.assertIn("INITIALIZED", out)
        for name in ("failed", "needy"):
            status, out, err = self.ask("status", name)
            self.assertEqual(status, PLUGIN, name)
            self.assertIn("missing.bin" if name == "needy" else "flux", out + err)
        self.assertEqual(self.ask("status", "nobody")[0], FAILURE)

    def test_call_prints_the_result_on_stdout(self):
        status, out, _ = self.ask("call", "p", "sleep", "ms=5")
        self.assertEqual((status, json.loads(out)), (OK, {"slept_ms": 5}))

    def test_call_takes_json_and_files(self):
        path = os.path.join(self.folder, "data")
        with open(path, "wb") as f:
            f.write(b"\0\1\2" * 1000)
        status, out, err = self.ask("call", "answers", "length", f"data=@{path}", "count=3",
                                    "flag=true", "note=hi")
        self.assertEqual(status, OK, err)
        result = json.loads(out)
        self.assertEqual((result["size"], result["count"], result["flag"], result["note"]),
                         (3000, 3, True, "hi"))
        status, out, _ = self.ask("call", "p", "echo", "--json", '{"a": [1, 2]}')
        self.assertEqual((status, json.loads(out)), (OK, {"a": [1, 2]}))

    def test_call_exits_by_what_went_wrong(self):
        for args, code in ((("p", "error"), TOOL), (("p", "fail"), PLUGIN), (("p", "hang"), TIMEOUT),
                           (("failed", "ping"), PLUGIN), (("needy", "ping"), PLUGIN),
                           (("p", "sleep", "ms=-1"), FAILURE), (("nobody", "x"), FAILURE)):
            status, out, err = self.ask("call", *args)
            self.assertIn(status, (code, TOOL if code == FAILURE else code), f"{args}: {err}")
            self.assertEqual(out, "", args)
            self.assertTrue(err, args)

    def test_call_of_a_crash_exits_3_and_tells_why(self):
        status, _, err = self.ask("call", "p", "segfault")
        self.assertEqual(status, PLUGIN)
        self.assertIn("SIGSEGV", err)

    def test_reload_shows_the_new_generation(self):
        self.assertEqual(self.ask("reload", "p")[0], OK)
        self.assertEqual(self.host.health("p")["generation"], 2)
        self.assertEqual(self.ask("reload", "failed")[0], PLUGIN)

    def test_reload_all_reloads_all(self):
        self.ask("reload", "--all")
        self.assertEqual(self.host.health("p")["generation"], 2)
        self.assertEqual(self.host.health("answers")["generation"], 2)

    def test_logs_show_what_was_printed(self):
        self.host.run("answers", "say", {"words": "nine cranes"})
        status, out, _ = self.ask("logs", "answers")
        self.assertEqual(status, OK)
        self.assertIn("nine cranes", out)

    def test_no_host_is_a_failure_that_says_where(self):
        status, _, err = self.forgesyte("list", FORGESYTE_URL="http://127.0.0.1:1")
        self.assertEqual(status, FAILURE)
        self.assertIn("127.0.0.1:1", err)


class WithoutHost(Commands):
    def test_run_starts_the_plugin_in_its_box_and_exits(self):
        self.plugin("p", like="crashtest")
        for args, code in ((("echo", "--json", '{"a": 1}'), OK), (("error",), TOOL),
                           (("hang",), TIMEOUT)):
            status, out, err = self.forgesyte("run", "--plugins",
                                              self.plugins, "p", *args)
            self.assertEqual(status, code, err)
            if code == OK:
                self.assertEqual(json.loads(out), {"a": 1})

    def test_run_of_what_is_missing_says_so(self):
        self.plugin("needy", like="stages", models={"m": "missing.bin"})
        status, _, err = self.forgesyte("run", "--plugins", self.plugins,
                                        "needy", "ping")
        self.assertEqual(status, PLUGIN)
        self.assertIn("missing.bin", err)

    def test_check_says_what_to_install(self):
        good = self.plugin("good", like="crashtest")
        bad = self.plugin("bad", like="stages", dependencies=["no_such_package_7"])
        broken = self.plugin("broken", like="stages", manifest_text="{")
        self.assertEqual(self.forgesyte("check", good)[0], OK)
        status, out, err = self.forgesyte("check", bad)
        self.assertNotEqual(status, OK)
        self.assertIn("pip install no_such_package_7", out + err)
        status, out, err = self.forgesyte("check", broken)
        self.assertNotEqual(status, OK)
        self.assertIn("line", out + err)

    def test_new_writes_a_plugin_that_builds_and_runs(self):
        status, out, err = self.forgesyte("new", "greeter", "--native", cwd=self.plugins)
        self.assertEqual(status, OK, err)
        folder = os.path.join(self.plugins, "greeter")
        self.assertTrue(os.path.exists(os.path.join(folder, "manifest.json")))
        done = subprocess.run(["make", "-C", folder,
                               f"FORGESYTE_INCLUDE={os.path.join(ROOT, 'include')}"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        self.assertEqual(self.forgesyte("check", folder)[0], OK)
        host = self.serve()
        self.assertEqual(host.state("greeter"), "INITIALIZED", host.health("greeter")["reason"])

    def test_version_and_help(self):
        status, out, _ = self.forgesyte("version")
        self.assertEqual(status, OK)
        self.assertRegex(out, r"\d+\.\d+\.\d+")
        status, out, _ = self.forgesyte("help")
        self.assertEqual(status, OK)
        for command in ("serve", "list", "status", "call", "reload", "logs", "run", "check", "new"):
            self.assertIn(command, out)

    def test_nonsense_is_a_usage_error(self):
        for args in (("dance",), ("call",), ("list", "--frmat", "json"), ("serve", "--listen")):
            self.assertEqual(self.forgesyte(*args)[0], USAGE, args)

    def test_a_bad_configuration_names_file_line_and_key(self):
        path = os.path.join(self.folder, "config.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write('{\n  "listen": "127.0.0.1:0",\n  "max_bdy": "64M"\n}\n')
        status, _, err = self.forgesyte("serve", "--config", path)
        self.assertEqual(status, CONFIG)
        for words in (path, "3", "max_bdy"):
            self.assertIn(words, err)


if __name__ == "__main__":
    unittest.main()
