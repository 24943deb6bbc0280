"""test_serve.py -- settings of a running host: where they come from, and SIGHUP."""
import json
import os
import re
import shutil
import signal
import subprocess
import unittest

from host import Host, HostCase


class Configuration(HostCase):
    def setUp(self):
        super().setUp()
        self.config = os.path.join(self.folder, "forgesyte.json")

    def write(self, text=None, **settings):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(json.dumps(settings, indent=1) if text is None else text)

    def test_the_flag_wins_over_the_variable_and_that_over_the_file(self):
        self.plugin("p", like="stages", limits={"timeout_seconds": 100})
        self.write(max_timeout="30")
        options = {"plugins": [self.plugins]}
        for args, env, timeout in (
                ((), {}, 30), ((), {"FORGESYTE_MAX_TIMEOUT": "20"}, 20),
                (("--max-timeout", "10"), {"FORGESYTE_MAX_TIMEOUT": "20"}, 10)):
            host = self.serve("--config", self.config, *args, env=env, **options)
            self.assertEqual(host.health("p")["limits"]["timeout_seconds"], timeout)

    def test_the_operators_word_on_one_plugin_holds(self):
        self.plugin("p", like="stages")
        self.plugin("q", like="stages")
        self.plugin("off", like="stages")
        self.write(plugins={"p": {"limits": {"timeout_seconds": 3, "memory_mb": 64}},
                            "off": {"disabled": True}})
        host = self.serve("--config", self.config)
        listed = {p["name"]: p["limits"] for p in host.get("/v1/plugins").json["plugins"]}
        self.assertEqual(listed["p"], {"timeout_seconds": 3, "memory_bytes": 64 << 20})
        self.assertEqual(listed["q"], {"timeout_seconds": 60, "memory_bytes": 1 << 30})
        self.assertNotIn("off", listed)

    def test_sighup_finds_new_plugins_and_leaves_the_old_ones_alone(self):
        self.plugin("old", like="crashtest")
        host = self.serve()
        host.run("old", "echo")
        before = host.health("old")
        self.plugin("new", like="crashtest")
        host.process.send_signal(signal.SIGHUP)
        host.wait_state("new", "INITIALIZED")
        after = host.health("old")
        self.assertEqual((after["generation"], after["success_count"]), (1, 1))
        self.assertEqual(after["instances"][0]["pid"], before["instances"][0]["pid"])

    def test_sighup_with_a_bad_configuration_keeps_the_old_one(self):
        self.plugin("p", like="stages", limits={"timeout_seconds": 100})
        self.write(max_timeout="30")
        host = self.serve("--config", self.config)
        self.write('{\n "max_timeout": "30",\n "max_tiemout": 3\n}')
        host.process.send_signal(signal.SIGHUP)
        line = host.wait_line("the old one stays: .*").group(0)
        for words in (self.config, "line 3", "max_tiemout", "max_timeout"):
            self.assertIn(words, line)
        host.post("/v1/plugins/p/reload")
        self.assertEqual(host.health("p")["limits"]["timeout_seconds"], 30)

    def reread(self, host):
        """What the host says of the configuration that it reads anew."""
        said = len(host.lines)
        host.process.send_signal(signal.SIGHUP)
        return host.wait_line("the old one stays: .*|read anew", since=said).group(0)

    def open_host(self, **settings):
        """One with a token, that listens on every address of a network that is its alone."""
        launcher = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net", "--"]
        if subprocess.run([*launcher, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("no network namespace can be made here")
        self.token = os.path.join(self.folder, "token")
        with open(os.open(self.token, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as f:
            f.write("of-this-test-and-of-nobody-else\n")
        self.write(token_file=self.token, listen="0.0.0.0:0", **settings)
        host = Host([self.plugins], ["--config", self.config], listen=None, launcher=launcher)
        self.addCleanup(self._end, host, True)
        return host

    def test_sighup_with_a_folder_that_cannot_be_read_keeps_all_of_the_old_one(self):
        self.plugin("p", like="stages", limits={"timeout_seconds": 100})
        text = os.path.join(self.folder, "text")
        with open(text, "w", encoding="utf-8") as f:
            f.write("no folder")
        self.write(max_timeout="30", plugin_dirs=[self.plugins])
        host = self.serve("--config", self.config, plugins=[])
        for bad, why in ((os.path.join(self.folder, "nowhere"), "No such file or directory"),
                         (text, "Not a directory")):
            self.write(max_timeout="20", plugin_dirs=[self.plugins, bad])
            line = self.reread(host)
            for words in ("the old one stays", bad, why):
                self.assertIn(words, line)
            host.post("/v1/plugins/p/reload")
            self.assertEqual(host.health("p")["limits"]["timeout_seconds"], 30)
        os.unlink(text)
        os.mkdir(text)
        self.assertIn("read anew", self.reread(host))
        host.post("/v1/plugins/p/reload")
        self.assertEqual(host.health("p")["limits"]["timeout_seconds"], 20)

    def test_sighup_cannot_take_the_token_from_an_open_address(self):
        host = self.open_host()
        for listen, words in (("0.0.0.0:0", "set --token-file"),
                              ("127.0.0.1:0", "token_file: is needed as long as the host listens on "
                                              f"0.0.0.0:{host.port}")):
            with self.subTest(listen=listen):
                self.write(listen=listen)
                line = self.reread(host)
                self.assertIn("the old one stays", line)
                self.assertIn(words, line)
        self.write(token_file=self.token, listen="127.0.0.1:0")
        self.assertIn("read anew", self.reread(host))

    def test_sighup_with_a_good_configuration_counts_from_the_next_load(self):
        self.plugin("p", like="stages", limits={"timeout_seconds": 100})
        self.write(max_timeout="30")
        host = self.serve("--config", self.config)
        self.write(max_timeout="20")
        host.process.send_signal(signal.SIGHUP)
        host.wait_line("read anew")
        host.post("/v1/plugins/p/reload")
        self.assertEqual(host.health("p")["limits"]["timeout_seconds"], 20)

    def test_a_plugin_whose_folder_went_away_says_so_after_a_reload(self):
        shutil_target = self.plugin("p", like="crashtest")
        host = self.serve()
        shutil.rmtree(shutil_target)
        self.assertEqual(host.run("p", "echo", {"a": 1}).result, {"a": 1})
        answer = host.post("/v1/plugins/p/reload")
        self.assertIn(answer.status, (200, 404))
        if answer.status == 200:
            self.assertEqual(answer.json["state"], "FAILED")
        self.assertEqual(host.get("/livez").status, 200)


if __name__ == "__main__":
    unittest.main()
