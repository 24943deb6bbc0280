"""The rows L01 to L14: a plugin that can't be mapped, or goes wrong while it is."""
import os
import time

from host import TEST_PLUGINS
from row import Plugin, native, python, row
from stage import OBJECTS

GOOD = native("load")
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489")


def bytes_of(name, folder=OBJECTS):
    with open(os.path.join(folder, name + ".so"), "rb") as f:
        return f.read()


def with_bytes(data):
    return Plugin(None, {"plugin.so": data})


def going_wrong(at, how, **more):
    return native("load", env={"AT": at, "HOW": how, **more})


@row("L01", "the file is empty, a text, a picture", "ImportError \"not a shared object\"; no restart",
     GOOD)
def l01(t):
    for data in (b"", b"#!/bin/sh\necho hello\n", PNG):
        health = t.load_fails(with_bytes(data), "ImportError", "not a shared object")
    time.sleep(1.2)  # the shortest back-off, and a bit: nothing may begin by itself
    t.equal(t.health()["generation"], health["generation"], "generation")


@row("L02", "the file is truncated, so that mapping it is SIGBUS",
     "PluginCrashed stage=load signal 7; ImportError or AbiMismatch where it is seen in time", GOOD)
def l02(t):
    whole = bytes_of("load")
    seen = set()
    for part in (64, 1000, 4096, 4096 + 64, 8192, 12288 + 64):
        health = t.reload(with_bytes(whole[:part]))
        t.equal(health["state"], "FAILED", f"with {part} bytes")
        seen.add((health["last_failure"]["error_type"], health["last_failure"]["signal"]))
    t.check(seen <= {("ImportError", None), ("AbiMismatch", None), ("PluginCrashed", 7)},
            f"came to {seen}")
    t.check(("PluginCrashed", 7) in seen, f"no SIGBUS among {seen}")


@row("L03", "a missing library, a missing symbol, another architecture",
     "ImportError with the loader's words, 1 KB at most", GOOD)
def l03(t):
    whole = bytes_of("load")
    t.load_fails(with_bytes(whole.replace(b"libc.so.6\0", b"libx.so.6\0")), "ImportError",
                 "libx.so.6")
    t.load_fails(native(os.path.join(TEST_PLUGINS, "undefined.so")), "ImportError",
                 "nobody_has_this_symbol")
    t.load_fails(native("longname"), "ImportError", "abcabc")
    t.load_fails(with_bytes(whole[:18] + b"\xb7\0" + whole[20:]), "ImportError", "plugin.so")


@row("L04", "no entry symbol, ABI version 999, struct_size 2^31",
     "AbiMismatch that says what it wants and what the host has", GOOD)
def l04(t):
    for name, words in (("noentry", "does not export forgesyte_plugin"),
                        ("otherabi", "wants ABI 999, host has 1"),
                        ("hugestruct", "struct_size is 2147483648")):
        t.load_fails(native(os.path.join(TEST_PLUGINS, name + ".so")), "AbiMismatch", words)


@row("L05", "the constructor dereferences NULL", "PluginCrashed stage=load signal 11", GOOD)
def l05(t):
    t.load_fails(going_wrong("constructor", "null"), "PluginCrashed", "stage=load", "signal 11",
                 signal=11)


@row("L06", "the constructor loops", "TimeoutError stage=load at the load deadline", GOOD)
def l06(t):
    begin = time.monotonic()
    t.load_fails(going_wrong("constructor", "loop"), "TimeoutError", "stage=load", "1s",
                 limits={"load_timeout_seconds": 1, "timeout_seconds": 60})
    t.check(0.9 < time.monotonic() - begin < 4, f"after {time.monotonic() - begin} s")


@row("L07", "the constructor calls _exit(0)", "ImportError: exit 0 is no success", GOOD)
def l07(t):
    t.load_fails(going_wrong("constructor", "exit"), "ImportError", "exited with code 0",
                 "stage=load")


@row("L12", "Python: SyntaxError, ImportError", "ImportError with the last lines of the traceback",
     python("class Plugin:\n    tools = {'good': lambda: 1}\n"))
def l12(t):
    t.load_fails(python("def broken(:\n    pass\n"), "ImportError", "SyntaxError", "line 1")
    t.load_fails(python("import nobody_has_this\n"), "ImportError", "nobody_has_this")


@row("L14", "needs 5 GB to load", "MemoryLimitExceeded stage=load", GOOD)
def l14(t):
    t.load_fails(going_wrong("constructor", "fat"), "MemoryLimitExceeded", "stage=load", "128MB")
