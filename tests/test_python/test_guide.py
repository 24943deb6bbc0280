"""test_guide.py -- the first plugin of docs/PYTHON-PLUGINS.md does what the guide says."""
import json
import os
import re
import unittest

import fake_host
from plugin_folder import PluginTest

GUIDE = os.path.join(fake_host.ROOT, "docs", "PYTHON-PLUGINS.md")


class GuideTest(PluginTest):
    def test_the_first_plugin_of_the_guide(self):
        with open(GUIDE, encoding="utf-8") as f:
            source = re.search(r"```python\n(.*?)```", f.read(), re.S).group(1)
        runtime = self.started(source)
        self.assertEqual(json.loads(runtime.meta), {"tools": [{
            "name": "count", "description": "Counts lines, words and bytes.",
            "input_schema": {"type": "object", "required": ["file"], "properties": {
                "file": {"type": "string", "contentEncoding": "base64"},
                "longest": {"type": "integer", "default": 0}},
                "additionalProperties": False}}]})
        result = runtime.call("count", '{"longest":1}', ("file", "text/plain", b"a bc\nd\n"))
        self.assertEqual(json.loads(result.json),
                         {"lines": 2, "words": 3, "bytes": 7, "longest": [4]})
        error = runtime.call("count", "{}", ("file", "text/plain", b""))
        self.assertEqual(error[:3], (0, "EmptyFile", "there is nothing to count"))


if __name__ == "__main__":
    unittest.main()
