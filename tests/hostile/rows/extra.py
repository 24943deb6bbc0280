"""The rows X01 to X28: what is in no other family; found by trying to break what the others had not."""
import os
import re
import shutil
import signal
import socket
import threading
import time

from row import Plugin, native, python, row
from rows.output import is_strict
from traces import PROGRAMS

EXTRA = native("extra")
GOOD = python("class Plugin:\n    tools = {'good': lambda: 1}\n")


def tried(t, tool, args, wanted, *words, on=None):
    """One misdeed, whose outcome is 200 or an error type, and one of `wanted`."""
    answer = t.call(tool, args, on=on)
    got = 200 if answer.status == 200 else answer.error_type
    t.check(got in wanted, f"{tool} {args}: {answer!r}, wanted {wanted}")
    if got != 200:
        t.has(answer.error, *words)
    return answer


def again(t, name=None):
    health = t.reload(name=name)
    t.equal(health["state"], "INITIALIZED", f"after a reload ({health['reason']!r})")


def as_it_was(t):
    t.stage.write(t.name, t.row.plugin)
    again(t)


def is_refused(t, what, *words, patience=2.0, states=("FAILED",), name=None):
    """A reload that does not come to be, at once, and says why."""
    begun = time.monotonic()
    health = t.reload(name=name)
    took = time.monotonic() - begun
    t.check(health["state"] in states, f"{what}: {health['state']} {health['reason']!r}")
    t.has(health["reason"], *words)
    t.check(took < patience + t.machine_ms() / 1000, f"{what} took {took:.1f} s")


# ---- files ---------------------------------------------------------------------------------------


def bind(path):
    folder = os.open(os.path.dirname(path), os.O_PATH)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    os.close(folder)


def large(path):
    with open(path, "wb") as f:
        f.truncate(1 << 40)
    os.chmod(path, 0o666)


ODD = {"fifo": lambda p: os.mkfifo(p, 0o666), "folder": os.mkdir, "socket": bind, "large": large,
       "shadow": lambda p: os.symlink("/etc/shadow", p), "zeros": lambda p: os.symlink("/dev/zero", p),
       "memory": lambda p: os.symlink("/proc/self/mem", p), "nowhere": lambda p: os.symlink("nowhere", p),
       "itself": lambda p: os.symlink(os.path.basename(p), p),
       "sibling": lambda p: os.symlink("../neighbour/manifest.json", p)}


def with_odd(t, name, file, how):
    t.stage.write(name, t.row.plugins()[name])
    path = os.path.join(t.stage.plugin_dir, name, file)
    os.unlink(path)
    ODD[how](path)


@row("X01", "manifest.json is a fifo, a folder, a socket, a device, a link out of its folder, 1 TB; in other encodings",
     "ManifestError that says what it is, at once", EXTRA)
def x01(t):
    for how in ODD:
        with_odd(t, t.name, "manifest.json", how)
        is_refused(t, how, "ManifestError")
    plain = '{"name":"x01","version":"1","entrypoint":"plugin.so"}'
    for data in (plain.encode("utf-16"), b"\xef\xbb\xbf" + plain.encode(), plain.encode() + b"\0", b"[" * 500000,
                 b" " * (1 << 20), ('{"__proto__":{},' + plain[1:]).encode(), ('{"name":"a",' + plain[1:]).encode(),
                 plain.replace("x01", "x\\u0000").encode(), plain.replace("x01", "\u202ex01").encode(),
                 plain.replace('"1"', '"\\u001b[31m"').encode(), plain.replace("x01", "neighbour").encode(),
                 plain.replace("x01", "x" * 100000).encode(), plain.replace("plugin.so", "../x01/plugin.so").encode(),
                 plain.replace("plugin.so", "/etc/passwd").encode()):
        t.stage.write(t.name, Plugin("extra", {"manifest.json": data}))
        is_refused(t, data[:60], "ManifestError")
    as_it_was(t)


@row("X02", "the entry point is a fifo, a folder, a socket, a device, a link to /etc/shadow, 1 TB",
     "ImportError, at once", EXTRA, beside={"x02-python": GOOD})
def x02(t):
    for name, file in ((t.name, "plugin.so"), ("x02-python", "plugin.py")):
        for how in ODD:
            with_odd(t, name, file, how)
            is_refused(t, f"{file} {how}", "ImportError", patience=5, name=name)
        t.stage.write(name, t.row.plugins()[name])
        again(t, name)


@row("X03", "folders with names that no plugin may have: a line feed, escape sequences, no UTF-8, 255 bytes",
     "each is FAILED under a name that is one, or passed over", EXTRA, own=True)
def x03(t):
    names = ["new\nline", "\x1b[31mred", "..x", "\u202elart", "x" * 255, "a b", "%s%n", "\udcff\udcfe", "\xe9" * 120]
    for i, name in enumerate(names):
        folder = t.stage.write(name, native("load"))
        if i % 2:
            os.unlink(os.path.join(folder, "manifest.json"))
            os.mkfifo(os.path.join(folder, "manifest.json"))
    listed = t.host.post("/v1/plugins/reload-all").json["plugins"]
    t.stage.place_in_scratch()  # the neighbour has a new box, too
    for plugin in listed:
        t.check(re.fullmatch("[a-z0-9_-]{1,64}", plugin["name"]), f"a plugin {plugin['name']!r}")
        if plugin["name"] not in t.stage.plugins:
            t.equal(plugin["state"], "FAILED", plugin["name"])
    for name in names:
        shutil.rmtree(os.path.join(t.stage.plugin_dir, name))
    t.equal(len(t.host.post("/v1/plugins/reload-all").json["plugins"]), 3)
    t.stage.place_in_scratch()


TALK = """
import time


def slow(seconds):
    time.sleep(seconds)
    return "slept"


def prints(n):
    for i in range(n):
        print("line", i, "x" * 100)
    return n


class Plugin:
    tools = {"good": lambda: 1, "slow": slow, "prints": prints}
"""


@row("X04", "its folder is removed, becomes a file, a link, closed, while it is called",
     "the call ends well; a reload says what is wrong", python(TALK))
def x04(t):
    folder = os.path.join(t.stage.plugin_dir, t.name)

    def file():
        shutil.rmtree(folder)
        with open(folder, "wb"):
            pass

    def link(to):
        shutil.rmtree(folder)
        os.symlink(to, folder)
    for how in (lambda: shutil.rmtree(folder), file, lambda: link("/etc"), lambda: link(t.name)):
        pending = t.begin("slow", {"seconds": 0.3})
        t.host.wait_state(t.name, "RUNNING")
        how()
        t.equal(pending.join().json.get("result"), "slept")
        t.equal(t.call("good").status, 200)
        is_refused(t, how, "ManifestError")
        if os.path.lexists(folder):
            os.unlink(folder)
        as_it_was(t)


@row("X05", "its shared object is cut to nothing while it runs", "PluginCrashed signal 7", EXTRA)
def x05(t):
    os.truncate(os.path.join(t.stage.plugin_dir, t.name, "plugin.so"), 0)
    tried(t, "leak", {"kind": 1}, ("PluginCrashed",), "signal (7|11)")
    as_it_was(t)


@row("X06", "its interpreter hangs, says garbage on the wire, floods, exits, is none",
     "FAILED or UNAVAILABLE with the interpreter's words, by the load deadline", GOOD)
def x06(t):
    scripts = {"hangs": "exec sleep 1000", "floods": "while :; do echo xxxxxxxxxxxxxxxxxxxx; done",
               "garbage": "head -c 1000000 /dev/urandom >&3; sleep 100", "exits": "echo why >&2; exit 3",
               "says": "echo '{}'", "dies": "printf '\\033[31m' >&2; kill -9 $$"}
    for how, text in scripts.items():
        asks = how in ("hangs", "floods", "says")
        plugin = Plugin(None, {**GOOD.files, "bin/python3": f"#!/bin/sh\n{text}\n".encode()}, "plugin.py",
                        python="bin/python3", dependencies=["numpy"] if asks else [], limits={"load_timeout_seconds": 1})
        os.chmod(t.stage.write(t.name, plugin) + "/bin/python3", 0o755)
        is_refused(t, how, states=("FAILED", "UNAVAILABLE"), patience=4)
    for value in ("/dev/null", "/", "/etc/shadow", "no-such-python", "/bin/true", "../../bin/python3", "-c"):
        t.stage.write(t.name, Plugin(None, GOOD.files, "plugin.py", python=value))
        is_refused(t, value, "python|/etc/shadow|exited", patience=5)
    as_it_was(t)


@row("X07", "an environment that upsets its interpreter", "INITIALIZED, or ImportError with the interpreter's words",
     python("class Plugin:\n    tools = {'good': lambda: print('\u20ac') or 1}\n"))
def x07(t):
    bad = ({"PYTHONHASHSEED": "abc"}, {"PYTHONMALLOC": "x"}, {"PYTHONTRACEMALLOC": "99999999"}, {"PYTHONUTF8": "7"})
    well = ({"PYTHONIOENCODING": "utf-16"}, {"PYTHONIOENCODING": "ascii:nonsense"}, {"PYTHONWARNINGS": "error"},
            {"PYTHONOPTIMIZE": "2"}, {"PYTHONVERBOSE": "3"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            {"PYTHONPYCACHEPREFIX": "/proc"}, {"TZ": "\x1b" * 100, "HOME": "/nowhere", "TMPDIR": "/nowhere"},
            {f"E{n}": "x" * 4096 for n in range(64)})
    for env in (*bad, *well):
        t.stage.write(t.name, Plugin(None, t.row.plugin.files, "plugin.py", env=env))
        if env in bad:
            is_refused(t, env, "ImportError", "Fatal Python error", patience=5)
        else:
            again(t)
            t.equal(t.call("good").status, 200, str(env)[:80])
    as_it_was(t)


@row("X08", "models that are links to a secret, fifos, devices, 1 TB; a digest that never ends",
     "UNAVAILABLE; nothing outside its folder is opened; the load deadline holds", EXTRA)
def x08(t):
    ways = {**ODD, "secret": lambda p: os.symlink(t.stage.canaries.secret, p),
            "relative": lambda p: os.symlink("../../../canaries/secret", p)}
    for how, make in ways.items():
        folder = t.stage.write(t.name, native("extra", models={"m": "models/m.pt"}))
        os.mkdir(folder + "/models")
        os.chmod(folder + "/models", 0o777)
        make(folder + "/models/m.pt")
        is_refused(t, how, "models/m.pt", states=("UNAVAILABLE",))
    folder = t.stage.write(t.name, native("extra", models={"m": {"path": "m.bin", "sha256": "0" * 64}},
                                          limits={"load_timeout_seconds": 1}))
    large(folder + "/m.bin")
    is_refused(t, "a digest", "TimeoutError", "load_timeout_seconds", patience=4)
    as_it_was(t)


@row("X09", "is permitted to read a link, which leads to /proc, /dev, /sys or /", "ManifestError", EXTRA)
def x09(t):
    given = os.path.join(t.stage.folder, "given")
    os.mkdir(given)
    os.chmod(given, 0o755)
    for target in ("/proc", "/proc/self/root", "/dev", "/sys/kernel", "/"):
        link = os.path.join(given, "link")
        os.symlink(target, link)
        for kind in ("read", "write"):
            t.stage.write(t.name, native("extra", permissions={kind: [link]}))
            is_refused(t, f"{kind} {target}", "ManifestError", "no plugin may be given")
        os.unlink(link)
    shutil.rmtree(given)
    as_it_was(t)


# ---- what it says of itself ----------------------------------------------------------------------

TABLES = {
    "many": "tools = {f't{n}': (lambda: 1) for n in range(10000)}", "slash": "tools = {'a/b': lambda: 1}",
    "percent": "tools = {'%2e%2e': lambda: 1}", "unicode": "tools = {'\\u202e': lambda: 1}",
    "numbers": "tools = {1: lambda: 1}", "list": "tools = [1, 2]", "objects": "tools = {'good': object()}",
    "large": "tools = {'good': {'description': 'x' * (10 << 20), 'handler': lambda: 1}}",
    "cycle": "s = {}\n    s['properties'] = s\n    tools = {'good': {'input_schema': s, 'handler': lambda: 1}}",
    "endless": "@property\n    def tools(self):\n        while True: pass",
    "raises": "@property\n    def tools(self):\n        raise BaseException('x')",
    "getattr": "def __getattr__(self, name): return self\n    def __call__(self, *a): return self",
    "metaclass": "pass\nclass M(type):\n    def __call__(cls):\n        while True: pass\nclass Plugin(metaclass=M): pass",
    "async": "tools = {'good': lambda: 1}\n    async def validate(self):\n        while True: pass",
    "exit": "tools = {'good': lambda: 1}\n    def validate(self): raise SystemExit(0)",
}


@row("X10", "says of its tools what can't be: 10000, a/b, %2e%2e, a cycle, 10 MB, an end that never comes",
     "InitError, ValidationError or TimeoutError with words", GOOD)
def x10(t):
    for how, text in TABLES.items():
        t.stage.write(t.name, python(f"class Plugin:\n    {text}\n", limits={
            "load_timeout_seconds": 1 if how in ("endless", "metaclass", "async") else 10, "memory_mb": 256}))
        is_refused(t, how, "InitError|ValidationError|TimeoutError|ImportError", patience=5)
    as_it_was(t)


def bombs():
    double = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(60)}
    double["a60"] = {"type": "string"}
    some = {"redos": {"pattern": "^(a+)+$"}, "stars": {"pattern": "(.*)*(.*)*(.*)*=x"},
            "back": {"pattern": "^(a*)(a*)(a*)\\1\\2\\3b"}, "round": {"$ref": "#"}, "unique": {"uniqueItems": True},
            "dynamic": {"$dynamicRef": "#x", "$dynamicAnchor": "x"}, "double": {"$ref": "#/$defs/a0"}}
    for how, schema in some.items():
        yield how, {"$defs": double, "type": "object", "additionalProperties": schema}
    yield "patterns", {"patternProperties": {f"^{n}(a|aa)*$": {"type": "integer"} for n in range(500)}}
    yield "unevaluated", {"allOf": [{"unevaluatedProperties": {"allOf": [{"unevaluatedProperties": False}] * 20}}] * 20}


@row("X11", "a schema that takes for ever to check, and a client who knows it", "InvalidArguments; /livez holds",
     EXTRA, own=True)
def x11(t):
    values = ({"s": "a" * 50000}, {"t": "a" * 40 + "!"}, {"l": [{"a": [n]} for n in range(30000)]},
              {f"{n}" + "a" * 30: n for n in range(20000)})
    t.lost.add(t.name)  # calls that a plugin was not given
    for how, schema in bombs():
        t.stage.write(t.name, native("extra", tools=[{"name": "good", "input_schema": schema}]))
        again(t)
        for value in values:
            answer = t.call("good", value)
            t.check((answer.status, answer.json.get("error_type")) in ((200, None), (422, "InvalidArguments")),
                    f"{how}: {answer!r}")
    wanted = {"properties": {"text": {"pattern": "^(a+)+$"}}}
    t.stage.write(t.name, python("class Plugin:\n    tools = {'good': lambda: 1,\n"
                                 "        'says': lambda: {'text': 'a' * 40 + '!'}}\n",
                                 tools=[{"name": "good"}, {"name": "says", "output_schema": wanted}]))
    again(t)
    tried(t, "says", {}, ("InvalidOutput",), "too much work")
    t.failed("InvalidOutput")
    for pattern in ("(?<!(a|aa)*)b", "((((a{0,60000}){0,60000}){0,60000}){0,60000})", "(" * 2000 + ")" * 2000):
        t.stage.write(t.name, native("extra", tools=[{"name": "good", "input_schema": {"pattern": pattern}}]))
        is_refused(t, pattern[:40], "ManifestError", "regular expression")
    for ref in ("http://169.254.169.254/latest", "file:///etc/shadow"):
        t.stage.write(t.name, native("extra", tools=[{"name": "good", "input_schema": {"$ref": ref}}]))
        is_refused(t, ref, "ManifestError", "leads to no schema")
    as_it_was(t)


# ---- native --------------------------------------------------------------------------------------


def each(t, *table):
    for tool, args, wanted, *words in table:
        tried(t, tool, args, wanted, *words)
        again(t)


CRASHED = ("PluginCrashed",)


@row("X12", "takes away its own mappings, code, stack, thread pointer; a breakpoint", "PluginCrashed signal 11, 5", EXTRA)
def x12(t):
    each(t, *[(tool, {}, CRASHED, "signal 11") for tool in ("unmap", "no_code", "no_stack", "no_thread")],
         ("trap", {}, CRASHED, "signal 5"), ("vsyscall", {}, (200, *CRASHED)))


@row("X13", "timers that kill, a processor limit of its own, no descriptors, no stack", "PluginCrashed with that signal", EXTRA)
def x13(t):
    each(t, *[("timer", {"which": which, "wait": 1}, CRASHED, f"signal {number}")
              for which, number in ((0, 14), (1, 26), (2, 27))], ("cpu_limit", {}, CRASHED, "signal (9|24)"))
    for which in (1, 2, 3, 7, 9):
        tried(t, "own_limit", {"which": which}, (200,))
        tried(t, "good", {}, (200, "PluginCrashed", "MemoryLimitExceeded"))
        again(t)


@row("X14", "answers well; a thread then crashes, exits, hogs memory, writes to the wire, prints for ever",
     "FAILED with the cause, stage=idle; of printing nothing", EXTRA)
def x14(t):
    for what, error_type, words in (("c", "PluginCrashed", "signal 11"), ("e", "PluginCrashed", "exited 0"),
                                    ("m", "MemoryLimitExceeded", "128MB"), ("w", "ProtocolError", "magic")):
        tried(t, "later", {"what": what}, (200,))
        t.failed(error_type, words, "stage=idle")
        again(t)
    tried(t, "timer", {"which": 0}, (200,))
    t.failed("PluginCrashed", "signal 14", "stage=idle")
    again(t)
    tried(t, "later", {"what": "p"}, (200,))
    time.sleep(1)
    tried(t, "good", {}, (200,))
    again(t)


@row("X15", "shuts its end of the wire, replaces it, prints to it, forks and both answer", "ProtocolError, PluginCrashed; no hang",
     EXTRA)
def x15(t):
    each(t, ("wire", {"how": 0}, ("PluginCrashed", "ProtocolError")), ("wire", {"how": 1}, (200, "PluginCrashed")),
         ("wire", {"how": 2}, ("ProtocolError",), "descriptor 3"), ("wire", {"how": 3}, (200,)),
         ("wire", {"how": 4}, (200, "ProtocolError")), ("wire", {"how": 5}, ("ProtocolError",), "magic"))


@row("X16", "is named \") R 0 0\", so that /proc/PID/stat reads otherwise", "memory and death are seen as ever", EXTRA)
def x16(t):
    for which in range(4):
        each(t, ("named", {"which": which}, (200,)), ("named", {"which": which, "crash": 1}, CRASHED, "signal 6"))
    each(t, ("named", {"which": 0, "mb": 400}, ("MemoryLimitExceeded",), "128MB"))


@row("X17", "small mappings, eventfds, timerfds, epolls, sockets, timers until there are no more", "its own matter", EXTRA)
def x17(t):
    each(t, ("maps", {}, (200, "MemoryLimitExceeded")), ("timers", {}, (200,)),
         *[("leak", {"kind": kind}, (200,)) for kind in range(6)])


@row("X18", "a scratch folder 5000 deep, closed, with links and fifos in it", "gone with its box", EXTRA)
def x18(t):
    tried(t, "tangle", {"to": os.path.dirname(t.stage.canaries.secret)}, (200, "NoScratch"))
    again(t)


# ---- Python --------------------------------------------------------------------------------------

WORDS = '''
import forgesyte


class Loud(Exception):
    def __str__(self):
        while True:
            pass


class Fat(Exception):
    def __str__(self):
        return "x" * (1 << 30)


class Torn(BaseException):
    def __str__(self):
        raise self

    __repr__ = __str__


class Gone(Exception):
    __str__ = None


def good():
    return 1


def raises(which):
    if which == "loud":
        raise Loud()
    if which == "fat":
        raise Fat()
    if which == "torn":
        raise Torn()
    if which == "gone":
        raise Gone()
    if which == "exit":
        raise SystemExit(Torn())
    if which == "name":
        raise type("A\\x1b[31m\\n" * 1000, (Exception,), {})("x")
    if which == "spoof":
        raise type("MemoryLimitExceeded", (Exception,), {})("Plugin exceeded 1GB memory limit")
    if which == "cancelled":
        raise forgesyte.Cancelled("me")
    if which == "own cancelled":
        raise type("Cancelled", (Exception,), {})("me")
    if which == "refused":
        raise type("PreforkRefused", (Exception,), {})("me")
    if which == "stop":
        raise StopIteration(3)
    if which == "generator":
        raise GeneratorExit
    if which == "keyboard":
        raise KeyboardInterrupt
    if which == "none":
        raise None
    if which == "chain":
        e = None
        for i in range(100000):
            n = ValueError(i)
            n.__cause__ = e
            e = n
        raise e
    if which == "ring":
        a, b = ValueError("a"), ValueError("b")
        a.__context__, b.__context__ = b, a
        a.__cause__ = b
        b.__cause__ = a
        raise a
    if which == "group":
        e = ValueError("x")
        for i in range(5000):
            e = ExceptionGroup("g", [e])
        raise e
    if which == "notes":
        e = ValueError("x")
        e.__notes__ = ["n" * 1000] * 100000
        raise e
    if which == "frames":
        def f(n):
            if n:
                f(n - 1)
            raise ValueError("deep")
        f(900)
    if which == "tool":
        raise forgesyte.ToolError("A/../\\x1b", "x" * (20 << 20))
    if which == "tool type":
        raise forgesyte.ToolError("PluginUnavailable", "words")
    if which == "syntax":
        e = SyntaxError("s")
        e.lineno, e.offset, e.text, e.filename = 10 ** 30, -5, 7, object()
        raise e
    if which == "unicode":
        raise UnicodeDecodeError("utf-8", b"x" * (10 << 20), 0, 1, "r" * (10 << 20))
    if which == "os":
        raise OSError(10 ** 9, "\\ud800" * 1000, b"\\xff" * 1000)
    if which == "traceback":
        e = ValueError("x")
        exec(compile("\\n" * 100000 + "raise e", "\\x1b[31m" * 500 + "\\n" * 500, "exec"), {"e": e})


class Plugin:
    tools = {"good": good, "raises": raises}
'''


@row("X19", "exceptions that loop, allocate or raise when they are looked at, have no end, or a name of the host's",
     "its own error, bounded; the same worker goes on",
     python(WORDS, on_error="keep", limits={"memory_mb": 256}),
     beside={"x19-loud": python(WORDS, limits={"timeout_seconds": 1, "memory_mb": 256})})
def x19(t):
    pid = t.health()["instances"][0]["pid"]
    for which in re.findall('which == "([^"]*)"', WORDS):
        if which in ("loud", "fat"):
            continue
        answer = t.call("raises", {"which": which})
        t.equal(answer.status, 422 if which.startswith("tool") else 502, f"{which}: {answer!r}")
        t.check(len(answer.body) < 64 << 10, f"{which}: {len(answer.body)} bytes")
        t.check(answer.error_type not in ("MemoryLimitExceeded", "Cancelled", "PluginUnavailable"), f"{which}: {answer!r}")
        is_strict(t, answer)
    t.equal(t.kept()["instances"][0]["pid"], pid, "pid of the worker")
    tried(t, "raises", {"which": "loud"}, ("TimeoutError",), "__str__", on="x19-loud")
    again(t, "x19-loud")
    tried(t, "raises", {"which": "fat"}, ("MemoryLimitExceeded", "Fat"), on="x19-loud")
    again(t, "x19-loud")


RESULTS = '''
import collections


class Int(int):
    def __repr__(self):
        return '1, "ok": false'
    __str__ = __repr__


class Float(float):
    def __repr__(self):
        return "NaN"


class Str(str):
    def __str__(self):
        return "other"

    def encode(self, *_):
        return b'"},"ok":false,"x":{"'

    def __len__(self):
        return 1 << 40


class Dict(dict):
    def __len__(self):
        return 1 << 40

    def items(self):
        while True:
            yield "a", 1


class List(list):
    def __iter__(self):
        while True:
            yield 1


class Changing(dict):
    def items(self):
        for i in range(3):
            self[str(i) + "x"] = i
            yield str(i), self


class Bytes(bytes):
    def __len__(self):
        return -1


def good():
    return 1


def gives(which):
    deep = []
    for _ in range(800):
        deep = [deep]
    return {"surrogate key": {"\\ud800": 1}, "keys": {1: 2, None: 3, True: 4, 1.5: 5}, "tuple key": {(1, 2): 3},
            "int": Int(7), "float": Float(1.5), "str": Str("me"), "changing": Changing(), "long": 10 ** 5000,
            "bytes": b"\\xff\\0", "bytes2": Bytes(b"abc"), "set": {1}, "deep": deep, "minus": -0.0, "complex": 1j,
            "same key": {1: 2, "1": 3}, "type": int, "ellipsis": ..., "lambda": good, "memory": memoryview(b"abc"),
            "named": collections.namedtuple("N", "a b")(1, 2), "key nul": {"a\\0b": "\\0"}, "empty": {"": {"": []}},
            "generator": (i for i in range(3)), "int key": {Int(3): 1}, "str key": {Str("k"): 1},
            }[which]


def endless(which):
    if which == "dict":
        return Dict(a=1)
    if which == "list":
        return List([1])

    async def forever():
        while True:
            pass
    return forever()


def sized(size):
    return "x" * (size - 2)


class Plugin:
    tools = {"good": good, "gives": gives, "endless": endless, "sized": sized}
'''


@row("X20", "results of classes that lie, keys that are none, without end, exactly as large as may be and 1 more",
     "strict JSON, its own error, TimeoutError; OutputTooLarge from the first byte too many",
     python(RESULTS, on_error="keep", limits={"timeout_seconds": 20, "memory_mb": 512}),
     beside={"x20-endless": python(RESULTS, limits={"timeout_seconds": 1, "memory_mb": 512})})
def x20(t):
    for which in re.findall('"([a-z0-9 ]*)": ', RESULTS):
        answer = t.call("gives", {"which": which})
        t.check(answer.status in (200, 502), f"{which}: {answer!r}")
        is_strict(t, answer)
    for which in ("dict", "list", "async"):
        tried(t, "endless", {"which": which}, ("TimeoutError", "MemoryLimitExceeded"), on="x20-endless")
        again(t, "x20-endless")
    for size, wanted in ((-1, 200), (0, 200), (1, "OutputTooLarge")):
        tried(t, "sized", {"size": (32 << 20) + size}, (wanted,))


SABOTAGE = '''
import builtins, gc, json, os, signal, socket, struct, sys, threading, time


def good():
    return 1


class Hang:
    def __getattr__(self, name):
        if name in ("flush", "write"):
            def hang(*_):
                while True:
                    pass
            return hang
        raise AttributeError(name)


def boom(*a, **k):
    raise RuntimeError("sabotage")


def does(which):
    if which == "stdout none":
        sys.stdout = sys.stderr = None
    if which == "stdout closed":
        sys.stdout.close(); sys.stderr.close()
    if which == "stdout boom":
        sys.stdout = type("S", (), {"write": boom, "flush": boom})()
    if which == "stdout hang":
        sys.stdout = Hang()
    if which == "os.write":
        os.write = os.writev = boom
    if which == "json":
        json.dumps = boom
        json.JSONEncoder.encode = json.JSONEncoder.iterencode = lambda *a: "{"
        json.encoder.c_make_encoder = boom
    if which == "struct":
        struct.pack = struct.Struct = boom
    if which == "socket":
        socket.socket.send = socket.socket.sendmsg = socket.socket.recv = boom
    if which == "time":
        time.time = time.monotonic = time.sleep = boom
    if which == "builtins":
        for n in ("len", "isinstance", "str", "bytes", "super", "print", "getattr"):
            setattr(builtins, n, boom)
    if which == "modules":
        sys.modules.clear()
    if which == "threading":
        threading.Thread = threading.Lock = boom
    if which == "recursion":
        sys.setrecursionlimit(60)
    if which == "switch":
        sys.setswitchinterval(1e9)
    if which == "trace":
        sys.settrace(boom); sys.setprofile(boom); threading.settrace(boom)
    if which == "audit":
        sys.addaudithook(boom)
    if which == "signals":
        for s in range(1, 65):
            try:
                signal.signal(s, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    if which == "wire":
        for n, m in list(sys.modules.items()):
            if n.startswith("forgesyte_worker"):
                for k in list(vars(m)):
                    if k.isupper():
                        setattr(m, k, 77)
    if which == "channel":
        for o in gc.get_objects():
            if type(o).__name__ == "Channel":
                for k in list(vars(o)):
                    setattr(o, k, None)
    if which == "frames":
        f = sys._getframe()
        while f:
            f.f_locals.clear()
            f = f.f_back
    if which == "gc":
        gc.freeze(); gc.disable(); gc.callbacks.append(boom); gc.enable(); gc.set_threshold(1)
    if which == "del":
        class D:
            def __del__(self):
                while True:
                    pass
        d = D(); d.me = d
    if which == "atexit":
        import atexit
        atexit.register(lambda: time.sleep(100))
    if which == "thread":
        threading.Thread(target=lambda: time.sleep(100)).start()
    if which == "excepthook":
        sys.excepthook = threading.excepthook = sys.unraisablehook = boom
        threading.Thread(target=boom).start()
    if which == "unbuffered":
        for i in range(1000):
            os.write(1, b"\\xf0\\x9f"); os.write(2, b"\\x98")
    if which == "chdir":
        os.chdir("/"); os.umask(0o777); sys.path.clear(); sys.argv.clear()
    if which == "environ":
        os.environ.clear(); os.environ["x" * 100000] = "y" * 100000
    if which == "closerange":
        os.closerange(0, 3)
    if which == "fork":
        os.fork()
    if which == "interpreter":
        import _xxsubinterpreters as x
        x.run_string(x.create(), "import os; os.write(1, b'hello')")
    if which == "loop":
        import asyncio
        loop = asyncio.new_event_loop(); asyncio.set_event_loop(loop); loop.close()
    if which == "progress":
        import forgesyte
        for v in (float("nan"), float("inf"), -1, 10 ** 400, "x", None):
            for w in (0, float("nan"), -1, 10 ** 400):
                try:
                    forgesyte.progress(v, w)
                except (ValueError, TypeError, OverflowError):
                    pass
    if which == "late":
        import forgesyte
        def f():
            for i in range(300):
                time.sleep(0.002)
                forgesyte.progress(i, 300)
        threading.Thread(target=f).start()
    return "done"


class Plugin:
    tools = {"good": good, "does": does}
'''


@row("X21", "sabotages the interpreter that serves it: streams, json, sockets, builtins, signals, frames, collector",
     "an outcome in time, at a next call too", python(SABOTAGE, on_error="keep", limits={"timeout_seconds": 2}))
def x21(t):
    for which in re.findall('which == "([^"]*)"', SABOTAGE):
        answer = t.call("does", {"which": which})
        t.check(answer.status in (200, 502, 504), f"{which}: {answer!r}")
        if answer.status == 200:
            answer = t.call("good")
            t.check(answer.status in (200, 502, 504), f"good after {which}: {answer!r}")
        again(t)


# ---- clients, operators --------------------------------------------------------------------------


def together(count, work):
    """work(n) in so many threads at once; what they raised."""
    faults = []

    def one(n):
        try:
            work(n)
        except Exception as fault:
            faults.append(fault)
    threads = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


@row("X22", "4 clients reload it while 8 others call it, and it crashes", "each call has one outcome; the last generation serves",
     native("extra", on_error="keep", limits={"instances": 2}))
def x22(t):
    def work(n):
        for _ in range(6):
            if n % 3 == 0:
                t.equal(t.host.post(f"/v1/plugins/{t.name}/reload").status, 200)
            else:
                tried(t, "named", {"which": 1, "crash": int(n == 4)}, (200, "PluginCrashed", "PluginUnavailable"))
    t.equal(together(12, work), [])
    again(t)
    t.kept()


@row("X23", "SIGHUP 100 times while it is called", "no call is lost", EXTRA)
def x23(t):
    done = threading.Event()

    def storm():
        for _ in range(100):
            os.kill(t.host.pid, signal.SIGHUP)
            time.sleep(0.005)
        done.set()
    thread = threading.Thread(target=storm)
    thread.start()
    while not done.is_set():
        tried(t, "good", {}, (200,))
    thread.join()
    t.kept()


@row("X24", "forgesyte-worker is taken away, is no program, does nothing, while the host runs",
     "a reload says so; what runs goes on; once it is back, all is well", EXTRA, own=True)
def x24(t):
    worker = os.path.join(PROGRAMS, "forgesyte-worker")
    os.rename(worker, worker + ".away")
    for text in (None, "hello", "#!/bin/true\n", "#!/bin/sleep 1000\n"):
        if text:
            with open(worker, "w", encoding="ascii") as f:
                f.write(text)
            os.chmod(worker, 0o755)
        is_refused(t, text, "IsolationUnavailable", states=("FAILED", "UNAVAILABLE"))
        if text:
            os.unlink(worker)
    os.rename(worker + ".away", worker)
    again(t)


@row("X25", "60 followers of logs and events that never read, of a plugin that prints", "they are cut off; memory is bounded",
     python(TALK))
def x25(t):
    before, sockets = t.memory_kb(), []
    for n in range(60):
        s = socket.create_connection(("127.0.0.1", t.host.port))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        path = f"/v1/plugins/{t.name}/logs?follow=1" if n % 2 else "/v1/events"
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{t.host.port}\r\n\r\n".encode())
        sockets.append(s)
    for _ in range(3):
        tried(t, "prints", {"n": 20000}, (200,))
        tried(t, "good", {}, (200,))
    t.grew_less(before, 60 << 10, "60 followers")
    for s in sockets:
        s.close()


@row("X26", "16 calls whose deadlines pass at once, at a plugin that burns", "one outcome each, in time",
     native("extra", on_error="keep", limits={"timeout_seconds": 1, "instances": 2}))
def x26(t):
    for pending in [t.begin("timer", {"which": 1}) if n % 2 else t.begin("cpu_limit") for n in range(16)]:
        answer = pending.join()
        t.check((answer.status, answer.json.get("error_type")) in (
            (200, None), (502, "PluginCrashed"), (504, "TimeoutError"), (503, "PluginUnavailable")), repr(answer))
    again(t)


BENDS = """
import os


def bend(link, to):
    os.symlink(to, link)


class Plugin:
    tools = {'good': lambda: 1, 'bend': bend}
"""


@row("X27", "leads a link to a secret, in a folder that it may write, or would write to its own manifest",
     "ManifestError, before it is shown anything", python(BENDS))
def x27(t):
    given, door = os.path.join(t.stage.folder, "given"), os.path.join(t.stage.folder, "given", "door")
    os.mkdir(given)
    os.chmod(given, 0o777)
    own = os.path.join(t.stage.plugin_dir, t.name)
    for kind in ("read", "write"):
        permissions = {"write": [given]}
        permissions[kind] = permissions.get(kind, []) + [door]
        t.stage.write(t.name, Plugin(None, t.row.plugin.files, "plugin.py", permissions=permissions))
        again(t)
        t.equal(t.call("bend", {"link": door, "to": os.path.dirname(t.stage.canaries.secret)}).status, 200)
        t.check(os.path.islink(door), "the link was made")
        is_refused(t, kind, "ManifestError", "which the plugin may change")
        os.unlink(door)
    for folder in (own, t.stage.plugin_dir, t.stage.folder, os.path.join(t.stage.plugin_dir, "neighbour")):
        t.stage.write(t.name, Plugin(None, t.row.plugin.files, "plugin.py", permissions={"write": [folder]}))
        is_refused(t, folder, "ManifestError", "what its manifest permits")
    shutil.rmtree(given)
    as_it_was(t)


@row("X28", "8 instances print lines of nothing, and bytes to be escaped, until their deadlines pass at once",
     "TimeoutError each, in time; /livez holds",
     native("extra", on_error="keep", limits={"timeout_seconds": 2, "instances": 8, "memory_mb": 64}))
def x28(t):
    for byte in (ord("\n"), 0):
        again(t)
        for each in [t.begin("noise", {"byte": byte}) for _ in range(8)]:
            t.answers(each.join(), 504, "TimeoutError")
    as_it_was(t)
