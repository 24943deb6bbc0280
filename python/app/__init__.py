"""app -- the names under which plugins of the ForgeSyte server import what they need.

app.plugins.base and app.models are ours; everything else of that server is not here. A package
`app` that the plugin brings itself, in its folder or its virtual environment, serves what is
missing here, so that both can be imported side by side.
"""
import pkgutil

__path__ = pkgutil.extend_path(__path__, __name__)
