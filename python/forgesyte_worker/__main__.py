"""__main__.py -- PYTHON -B LIBDIR/forgesyte_worker STATE: from the command line to a served plugin.

Knows: how forgesyte-worker starts this program (docs/PROTOCOL.md, "The Python runtime").
May not know: anything else.

sys.path begins with LIBDIR, which holds `forgesyte`, `forgesyte_worker` and `app` and nothing else,
so these three are always ours; the plugin's own folder comes second (loading.py), the interpreter's
own path after it.
"""
import os
import sys


def _main() -> int:
    here = os.path.dirname(os.path.abspath(__file__))
    # Python has put this folder first, whose modules are nobody's top-level modules.
    sys.path[:] = [os.path.dirname(here), *(p for p in sys.path if os.path.abspath(p) != here)]
    state = sys.argv.pop(1)
    from forgesyte_worker import serve

    return serve.main(state)


# Processes of the plugin's own multiprocessing import this file under another name.
if __name__ == "__main__":
    sys.exit(_main())
