"""The rows O01 to O08: answers that are too large, no JSON, or not what was promised."""
import json

from row import native, python, row

OUTPUT = native("output", limits={"memory_mb": 256, "timeout_seconds": 20})
PYTHON = """
import forgesyte


def good():
    return 1


def lone():
    return {"a": "\\ud800"}


def odd(which):
    return {"nan": float("nan"), "infinity": float("inf"), "minus": float("-inf"),
            "huge": 2 ** 100}[which]


def large():
    return "x" * (100 << 20)


def words():
    raise ValueError("%n%s\\x1b[31m\\x9b\\r\\n" * 1000000)


def cycle():
    a = []
    a.append(a)
    return a


def thing():
    return object()


class Plugin:
    tools = {f.__name__: f for f in (good, lone, odd, large, words, cycle, thing)}
"""
SCHEMA = {"type": "object", "required": ["good"], "properties": {"good": {"type": "boolean"}},
          "additionalProperties": False}
CHECKED = native("output", tools=[{"name": "good", "output_schema": SCHEMA},
                                  {"name": "raw", "output_schema": SCHEMA}])


def snake(**manifest):
    return python(PYTHON, **manifest)


def no_constants(name):
    raise AssertionError(f"the client was sent {name}, which is no JSON")


def is_strict(t, answer):
    text = answer.body.decode("utf-8")
    json.loads(text, parse_constant=no_constants)
    t.check(len(text) < 64 << 10 or answer.status == 200, f"an answer of {len(text)} bytes")


def invalid(t, tool, args, types=("InvalidOutput",), on=None):
    """The answer is refused; the plugin comes back by a reload."""
    answer = t.answers(t.call(tool, args, on=on), 502, types)
    is_strict(t, answer)
    t.failed(types, name=on)
    t.equal(t.reload(name=on)["state"], "INITIALIZED")


def raw(t, text, tool="raw", **options):
    data = text if isinstance(text, bytes) else text.encode()
    invalid(t, tool, {"hex": data.hex()}, **options)


@row("O01", "an answer of 100 MB, of 10 GB", "OutputTooLarge; killed at the cap",
     OUTPUT, beside={"o01-python": snake(limits={"memory_mb": 1024, "timeout_seconds": 20})})
def o01(t):
    t.dies("large", "OutputTooLarge", args={"mb": 64})
    t.reload()
    t.dies("endless", ("ProtocolError", "OutputTooLarge", "InvalidOutput"))
    t.answers(t.call("large", on="o01-python"), 502, "OutputTooLarge")


@row("O02", "invalid UTF-8, a lone surrogate", "InvalidOutput", OUTPUT, beside={"o02-python": snake()})
def o02(t):
    for tool in ("raw", "raw_frame"):
        for text in (b'{"a":"\xff\xfe"}', b'{"a":"\xc0\xaf"}', b'{"a":"\xed\xa0\x80"}',
                     b'{"a":"\\ud800"}', b'\xef\xbb\xbf{}', b'{"a":"\0"}'):
            raw(t, text, tool, types=("InvalidOutput", "ProtocolError"))
    invalid(t, "lone", {}, ("InvalidOutput", "UnicodeEncodeError"), on="o02-python")


@row("O03", "NaN, Infinity, 1e999, 2^100", "InvalidOutput, or a number that is JSON; never invalid JSON",
     OUTPUT, beside={"o03-python": snake(on_error="keep")})
def o03(t):
    for text in ("NaN", "[Infinity]", '{"a":-Infinity}', '{"a":1e999}', '{"a":01}', '{"a":+1}'):
        raw(t, text)
        raw(t, text, "raw_frame")
    for text in (str(2 ** 100), f'{{"a":{"9" * 400}}}'):
        answer = t.call("raw", {"hex": text.encode().hex()})
        is_strict(t, answer)
        if answer.status != 200:
            t.answers(answer, 502, "InvalidOutput")
            t.reload()
    for which in ("nan", "infinity", "minus", "huge"):
        answer = t.call("odd", {"which": which}, on="o03-python")
        is_strict(t, answer)
        t.check(answer.status in (200, 502), repr(answer))
        t.notes.append(f"{which}: {answer.json.get('result', answer.json.get('error_type'))!r}")


@row("O04", "nested 10^5 deep; duplicate keys", "InvalidOutput", OUTPUT)
def o04(t):
    invalid(t, "deep", {"depth": 100000})
    raw(t, '{"a":1,"a":2}')
    raw(t, '{"a":1,"a":2}', "raw_frame")
    raw(t, "[" * 100000 + "]" * 100000, "raw_frame")


@row("O06", "an error of 10 MB with %n%s and escape sequences", "truncated, inert", OUTPUT,
     beside={"o06-python": snake(limits={"memory_mb": 512})})
def o06(t):
    for name, tool, status in ((t.name, "words", 422), ("o06-python", "words", 502)):
        answer = t.call(tool, on=name)
        t.equal(answer.status, status, repr(answer))
        t.check(len(answer.body) < 64 << 10, f"{len(answer.body)} bytes")
        for control in (b"\x1b", b"\r", b"\x9b", b"\\u001b", b"\\u009b"):
            t.check(control not in answer.body, f"{control!r} in {answer.body[:300]!r}")
        t.check("%n%s" in answer.error, answer.error[:100])


@row("O07", "fields are missing, of the wrong type, or more", "InvalidOutput", CHECKED)
def o07(t):
    for text in ("{}", '{"good":1}', '{"good":true,"more":1}', "[]", "null", '"good"'):
        raw(t, text)
    t.kept()


@row("O08", "a result with a cycle, or that is no data", "its own error", snake(on_error="keep"))
def o08(t):
    pid = t.health()["instances"][0]["pid"]
    for tool in ("cycle", "thing"):
        answer = t.call(tool)
        t.equal(answer.status, 502, repr(answer))
        t.check(answer.error_type in ("ValueError", "TypeError", "RecursionError", "InvalidOutput"),
                repr(answer))
    t.equal(t.kept()["instances"][0]["pid"], pid, "pid of the worker")
