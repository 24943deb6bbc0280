"""plugin_folder.py -- writes the plugins that the soak and the kills run."""
import json
import os
import shutil

import host as support


def write_plugin(folder, name, like=None, python=None, **manifest):
    """A plugin in a folder of its own: a bundled one under another name, or this Python text.
    manifest: keys that are added to its own."""
    where = os.path.join(folder, name)
    os.mkdir(where)
    base = {"version": "1.0.0", "entrypoint": "plugin.py"}
    if like:
        with open(os.path.join(support.ROOT, "plugins", like, "manifest.json"), encoding="utf-8") as f:
            base = json.load(f)
        shutil.copy(os.path.join(support.BUNDLED, like, like + ".so"), where)
    else:
        with open(os.path.join(where, "plugin.py"), "w", encoding="utf-8") as f:
            f.write(python)
    with open(os.path.join(where, "manifest.json"), "w", encoding="utf-8") as f:
        json.dump({**base, "name": name, **manifest}, f)
