"""test_missing_dependencies.py -- step 2 of loading: what is missing makes the plugin UNAVAILABLE, and
the reason names all of it, in the words that were promised."""
import hashlib
import struct
import unittest

from host import HostCase

GPU = "CUDA GPU not available. Check torch.cuda.is_available() or nvidia-smi."


def package_text(name):
    return f"ImportError: No module named '{name}'. Install with: pip install {name}"


def missing_text(path):
    return f"Model file not found: {path}. Download from ForgeSyte releases."


def corrupt_text(path):
    return f"Model file truncated or corrupted: {path}. Re-download."


ZIP = b"PK\x03\x04" + b"\0" * 60 + b"PK\x05\x06" + b"\0" * 18
SAFETENSORS = struct.pack("<Q", 2) + b"{}" + b"\0" * 16


class MissingDependencies(HostCase):
    def load(self, files=(), **manifest):
        self.plugin("needy", like="stages", files=files, **manifest)
        self.host = self.serve()
        return self.host.health("needy")

    def assert_unavailable(self, health, *words):
        self.assertEqual(health["state"], "UNAVAILABLE", health)
        for word in words:
            self.assertIn(word, health["reason"])
        self.assert_error(self.host.run("needy", "ping"), 503, "PluginUnavailable", words[0])
        self.assertEqual(self.host.get("/v1/plugins").json["unavailable"], 1)
        self.assertEqual(health["instances"], [])

    def test_a_missing_package_names_the_command_that_installs_it(self):
        self.assert_unavailable(self.load(dependencies=["no_such_package_7"]),
                                package_text("no_such_package_7"))

    def test_a_package_that_is_there_is_no_matter(self):
        self.assertEqual(self.load(dependencies=["json"])["state"], "INITIALIZED")

    def test_programs_are_asked_where_a_container_denies_namespaces_too(self):
        self.plugin("needy", like="stages", dependencies={"packages": ["json", "no_such_package_7"]})
        self.host = self.serve(env={"FORGESYTE_FAKE_MISSING": "userns,root"})
        self.assertEqual(self.host.health("needy")["reason"], package_text("no_such_package_7"))

    def test_a_missing_library_is_named(self):
        self.assert_unavailable(self.load(dependencies={"libraries": ["libnosuch.so.7"]}),
                                "libnosuch.so.7")

    def test_a_missing_command_is_named(self):
        self.assert_unavailable(self.load(dependencies={"commands": ["no-such-command-7"]}),
                                "no-such-command-7")

    def test_what_is_there_is_no_matter(self):
        health = self.load(dependencies={"packages": ["os"], "libraries": ["libc.so.6"],
                                         "commands": ["sh"]})
        self.assertEqual(health["state"], "INITIALIZED", health["reason"])

    def test_a_missing_model_is_named_by_its_path_in_the_manifest(self):
        self.assert_unavailable(self.load(models={"m": "models/player-detection.pt"}),
                                missing_text("models/player-detection.pt"))

    def test_a_truncated_model_is_told_from_a_missing_one(self):
        health = self.load(models={"m": "models/m.pt"}, files=[("models/m.pt", ZIP[:20])])
        self.assert_unavailable(health, corrupt_text("models/m.pt"))

    def test_a_model_shorter_than_16_bytes_is_truncated(self):
        health = self.load(models={"m": "m.bin"}, files=[("m.bin", b"short")])
        self.assert_unavailable(health, corrupt_text("m.bin"))

    def test_a_model_with_another_sha256_is_corrupt(self):
        digest = hashlib.sha256(b"another").hexdigest()
        health = self.load(models={"m": {"path": "m.bin", "sha256": digest}},
                           files=[("m.bin", b"x" * 100)])
        self.assert_unavailable(health, corrupt_text("m.bin"))

    def test_good_models_of_each_kind_are_taken(self):
        models = {"zip": ("a.pt", ZIP), "safetensors": ("b.safetensors", SAFETENSORS),
                  "gguf": ("c.gguf", b"GGUF\x03\0\0\0" + b"\0" * 32), "other": ("d.bin", b"x" * 64)}
        digest = hashlib.sha256(b"x" * 64).hexdigest()
        health = self.load(models={**{k: path for k, (path, _) in models.items()},
                                   "hashed": {"path": "d.bin", "sha256": digest}},
                           files=list(models.values()))
        self.assertEqual(health["state"], "INITIALIZED", health["reason"])

    def test_a_model_that_is_a_link_out_of_the_folder_is_refused(self):
        import os
        folder = self.plugin("needy", like="stages", models={"m": "m.bin"})
        os.symlink("/etc/passwd", os.path.join(folder, "m.bin"))
        host = self.serve()
        self.assertIn(host.state("needy"), ("UNAVAILABLE", "FAILED"))

    def test_everything_that_is_missing_is_listed_at_once(self):
        health = self.load(requires_gpu=True, models={"m": "models/m.pt"},
                           dependencies={"packages": ["no_such_package_7"],
                                         "libraries": ["libnosuch.so.7"],
                                         "commands": ["no-such-command-7"]})
        self.assert_unavailable(health, GPU, package_text("no_such_package_7"), "libnosuch.so.7",
                                "no-such-command-7", missing_text("models/m.pt"))

    def test_unavailable_is_left_by_a_reload_once_it_is_there(self):
        self.load(models={"m": "m.bin"})
        self.plugin("needy", like="stages", models={"m": "m.bin"}, files=[("m.bin", b"x" * 64)])
        self.assertEqual(self.host.state("needy"), "UNAVAILABLE")
        self.assertEqual(self.host.post("/v1/plugins/needy/reload").json["state"], "INITIALIZED")


if __name__ == "__main__":
    unittest.main()
