"""errors.py -- the exceptions that mean something to the host.

Knows: nothing.   May not know: everything else.
"""


class ToolError(Exception):
    """An error about this one call, declared by the tool: raise ToolError("BadImage", "no JPEG").

    The client gets status 422 with this type and these words; the plugin is unharmed, whatever the
    manifest's on_error says. `type` is a name like BadImage: a letter, then letters, digits, _."""

    def __init__(self, type: str, message: str = "") -> None:
        super().__init__(type, message)
        self.type = type
        self.message = message

    def __str__(self) -> str:
        return self.message or self.type


class Cancelled(BaseException):
    """Raised in the middle of a tool whose client has left. Like KeyboardInterrupt no Exception, so
    that `except Exception` lets it pass: clean up and let it go. What is still running 2 s later is
    killed."""
