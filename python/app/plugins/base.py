"""app.plugins.base -- BasePlugin as the ForgeSyte server's plugins know it.

Knows: forgesyte.BasePlugin.   May not know: everything else.
"""
from forgesyte.base import BasePlugin

__all__ = ["BasePlugin"]
