"""plugin_folder.py -- a plugin's folder made for one test: its files are in the test itself."""
import os
import shutil
import tempfile
import textwrap
import unittest

from fake_host import PLUGINS, Runtime


class Folder(str):
    """A folder's path, not the text of a plugin."""


class PluginTest(unittest.TestCase):
    def folder(self, **files):
        """Keyword plugin="..." writes plugin.py. Text is dedented."""
        return self.folder_of({name + ".py": text for name, text in files.items()})

    def folder_of(self, files):
        root = tempfile.mkdtemp(prefix="forgesyte-test-")
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(textwrap.dedent(text))
        return Folder(root)

    def named(self, name):
        """One of plugins/."""
        return Folder(os.path.join(PLUGINS, name))

    def runtime(self, source, entrypoint="plugin.py", **options):
        """A runtime that has not been asked anything but LOAD; killed at the test's end."""
        folder = source if isinstance(source, Folder) else self.folder(plugin=source)
        runtime = Runtime(folder, entrypoint, **options)
        self.addCleanup(runtime.__exit__)
        return runtime

    def started(self, source, entrypoint="plugin.py", **options):
        runtime = self.runtime(source, entrypoint, **options)
        self.assertIsNone(runtime.start())
        return runtime
