"""test_manifest_errors.py -- step 1 of loading: a bad manifest leaves an entry that says what is wrong
and where, and nothing else is touched."""
import json
import os
import unittest

from host import HostCase

GOOD = {"name": "m", "version": "1.0.0", "entrypoint": "plugin.so", "tools": [{"name": "ping"}]}


class ManifestErrors(HostCase):
    def refused(self, *words, text=None, **manifest):
        """Writes it into folder m, and looks for a FAILED entry with these words."""
        if text is None:
            text = json.dumps({**GOOD, **manifest}, indent=1)
        self.plugin("m", like="stages", manifest_text=text)
        self.plugin("well", like="crashtest")
        host = self.serve()
        failed = [p for p in host.get("/v1/plugins").json["plugins"] if p["name"] != "well"]
        self.assertEqual([p["state"] for p in failed], ["FAILED"], failed)
        self.assertEqual(failed[0]["last_failure"]["error_type"], "ManifestError", failed)
        for word in words:
            self.assertIn(word, failed[0]["reason"])
        self.assertEqual(host.state("well"), "INITIALIZED")
        return failed[0]

    def test_text_that_is_no_json_names_the_line(self):
        health = self.refused("line 3", text='{\n "name": "m",\n "version" "1.0.0"\n}\n')
        self.assertEqual(health["name"], "m")

    def test_a_link_out_of_the_folder_is_not_followed(self):
        """Its first words would be told to everybody in the reason."""
        folder = self.plugin("m", like="stages")
        secret = os.path.join(self.folder, "secret")
        with open(secret, "w", encoding="utf-8") as f:
            f.write("canary and more\n")
        os.unlink(os.path.join(folder, "manifest.json"))
        os.symlink(secret, os.path.join(folder, "manifest.json"))
        health = self.serve().health("m")
        self.assertEqual(health["state"], "FAILED")
        self.assertIn("leads out of its folder", health["reason"])
        self.assertNotIn("canary", json.dumps(health))

    def test_an_empty_file_is_refused(self):
        self.refused("manifest.json", text="")

    def test_a_list_is_refused(self):
        self.refused("manifest.json", text="[]")

    def test_an_unknown_key_suggests_the_nearest(self):
        self.refused("requires_gpus", "requires_gpu", requires_gpus=True)

    def test_an_unknown_limit_names_line_and_key(self):
        self.refused("limits", "timeout_second", "line", limits={"timeout_second": 5})

    def test_a_negative_timeout_names_its_key(self):
        self.refused("timeout_seconds", limits={"timeout_seconds": -1})

    def test_tools_that_are_no_list_are_named(self):
        self.refused("tools", tools={"name": "ping"})

    def test_a_missing_version_is_named(self):
        self.refused("version", text='{"name": "m", "entrypoint": "plugin.so"}')

    def test_a_missing_entrypoint_is_named(self):
        self.refused("entrypoint", text='{"name": "m", "version": "1.0.0"}')

    def test_a_duplicate_key_is_refused(self):
        self.refused("version", text='{"name": "m", "version": "1", "version": "2", '
                                     '"entrypoint": "plugin.so"}')

    def test_a_schema_that_is_none_is_refused(self):
        self.refused("input_schema", tools=[{"name": "ping", "input_schema": {"type": "strng"}}])

    def test_an_entrypoint_outside_the_folder_is_refused(self):
        self.refused("entrypoint", entrypoint="../well/crashtest.so")

    def test_a_model_outside_the_folder_is_refused(self):
        self.refused("models", models={"m": "../../secret.bin"})

    def test_a_name_that_is_a_path_is_refused_and_makes_nothing(self):
        before = set(os.listdir(self.folder))
        self.refused("name", name="../x")
        self.assertEqual(set(os.listdir(self.folder)), before)

    def test_nul_and_deep_nesting_do_no_harm(self):
        self.refused(text='{"name": "m\\u0000x", "version": "1"}')
        self.refused(text='{"name": ' + "[" * 100000)

    def test_a_manifest_of_2_mib_is_refused(self):
        self.refused(text=json.dumps({**GOOD, "description": "x" * (2 << 20)}))

    def test_limits_beyond_the_operators_are_lowered(self):
        self.plugin("greedy", like="stages",
                    limits={"timeout_seconds": 1e6, "memory_mb": 8192, "instances": 9})
        host = self.serve("--max-timeout", "30", "--max-memory", "512M", "--max-instances", "2")
        health = host.health("greedy")
        self.assertEqual(health["limits"]["timeout_seconds"], 30)
        self.assertEqual(health["limits"]["memory_bytes"], 512 << 20)
        self.assertEqual(len(health["instances"]), 2)


class Names(HostCase):
    def test_the_second_of_two_with_one_name_is_refused_and_the_first_serves(self):
        self.plugin("twin", like="crashtest", folder="twin-a")
        self.plugin("twin", like="crashtest", folder="twin-b")
        host = self.serve()
        self.assertEqual(host.run("twin", "echo", {"a": 1}).result, {"a": 1})
        others = [p for p in host.get("/v1/plugins").json["plugins"] if p["name"] != "twin"]
        for other in others:
            self.assertEqual(other["state"], "FAILED")
            self.assertEqual(other["last_failure"]["error_type"], "ValidationError")
        self.assertTrue(others or "twin" in host.stderr())

    def test_a_folder_without_a_manifest_is_no_plugin(self):
        os.mkdir(os.path.join(self.plugins, "notes"))
        with open(os.path.join(self.plugins, "README"), "w", encoding="utf-8") as f:
            f.write("not a plugin")
        host = self.serve()
        self.assertEqual(host.get("/v1/plugins").json,
                         {"plugins": [], "total": 0, "available": 0, "failed": 0,
                          "unavailable": 0})


if __name__ == "__main__":
    unittest.main()
