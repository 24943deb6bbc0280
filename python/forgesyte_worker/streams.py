"""streams.py -- stdout, stderr and logging as a plugin finds them: lines of its log.

Knows: Python's standard streams.   May not know: the wire.

print() and logging end up in the two pipes of the plugin's log, each line when it is written. A
process that dies of a signal says in which Python line (faulthandler): its last words.
"""
import faulthandler
import logging
import signal
import sys

# The host asks with it where a plugin hangs (instance_private.h has the same).
WHERE_ARE_YOU = signal.SIGRTMAX - 1


def set_up() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    if sys.stderr is None:
        return
    faulthandler.enable(all_threads=False)  # the runtime's own thread would push the plugin's out
    # When the handler has written the stacks of all threads it gives the signal to the default one:
    # the process ends, which the host takes for the end of the text where that does not say so.
    faulthandler.register(WHERE_ARE_YOU, all_threads=True, chain=True)
    # For plugins that set up no logging of their own. No handler is added to the root logger, so
    # that their logging.basicConfig() still works.
    last = logging.StreamHandler(sys.stderr)
    last.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.lastResort = last
    logging.getLogger().setLevel(logging.INFO)


def tell(text: str) -> None:
    """For the log's readers, who do not see the answer that says the same."""
    try:
        print(text, end="" if text.endswith("\n") else "\n", file=sys.stderr)
    except Exception:  # closed or replaced by the plugin
        pass


def flush() -> None:
    """What was printed in a call is in the log before its answer is out."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # closed or replaced by the plugin
            pass
