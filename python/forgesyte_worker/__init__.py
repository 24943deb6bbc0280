"""forgesyte_worker -- the Python runtime: serves one plugin on the wire, inside its box.

Started by forgesyte-worker, not by people. docs/PROTOCOL.md specifies the wire and how this
program is started; docs/PYTHON-PLUGINS.md is what plugin authors read. Standard library only,
Python 3.9 and later.

    __main__     from the command line to a served plugin
    serve        one request after the other; what is in order when
    channel      frames in and out; cancellation
    wire         the layout of frames and messages
    loading      from an entry point to a class
    toolbox      the tools of a plugin, whatever its shape, and calling them
    schemas      loose declarations of arguments and signatures, as JSON Schema
    arguments    what arrived, as the arguments of a Python function
    convert      what a tool returned, as JSON
    failures     what a plugin raised, as words
    bridge       the functions of the package forgesyte
    coroutines   the event loop of async tools
"""
