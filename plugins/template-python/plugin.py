"""@NAME@ -- a ForgeSyte plugin. Change hello(), and the tool in manifest.json with it."""
import forgesyte


class Plugin(forgesyte.BasePlugin):
    name = "@NAME@"
    tools = {"hello": "hello"}  # the tool's name in manifest.json: the method here

    def hello(self, name="world"):
        # manifest.json has said already that it is a string. This is about the one call, so the
        # caller is told, and the plugin goes on; any other exception is a fault of the plugin.
        if not name.strip():
            raise forgesyte.ToolError("NoName", "whom shall I greet? name is empty")
        return {"greeting": f"Hello, {name}!"}
