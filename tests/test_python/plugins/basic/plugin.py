"""One tool of each kind: what most plugins are."""
from app.plugins.base import BasePlugin

import forgesyte


class Plugin(BasePlugin):
    name = "basic"

    def __init__(self):
        self.tools = {
            "echo": {"description": "What it got.", "handler": "echo",
                     "input_schema": {"text": "string", "times": "integer?"},
                     "output_schema": {"type": "object"}},
            "size": {"description": "", "handler": self.size, "input_schema": {
                "type": "object", "properties": {"image_bytes": {"type": "string"}}},
                     "output_schema": {}},
            "later": self.later,
            "fail": self.fail,
        }
        super().__init__()

    def echo(self, text, times=1):
        return {"text": text * times}

    def size(self, image_bytes):
        return {"size": len(image_bytes), "type": type(image_bytes).__name__}

    async def later(self, value: int):
        """Comes back to it."""
        import asyncio

        await asyncio.sleep(0)
        return {"value": value}

    def fail(self, declared: bool = False):
        if declared:
            raise forgesyte.ToolError("BadImage", "not a JPEG")
        raise ValueError("what a pity")
