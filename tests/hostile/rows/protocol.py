"""The rows P01 to P21: a worker that breaks the rules of the wire, or talks without end."""
import base64
import os

from row import native, row
from rows.load import GOOD, going_wrong

WIRE = native("wire", limits={"timeout_seconds": 3})
QUICK = native("wire", limits={"timeout_seconds": 1})
RESULT_CAP = (32 << 20) + (64 << 10)


def breaks_rule(t, tool, *words, args=None):
    return t.dies(tool, "ProtocolError", "stage=call", *words, args=args)


def each_header(t, *cases):
    """A header with one thing changed: (field, value, type, error type, words)."""
    for field, value, kind, error_type, words in cases:
        args = {"field": field, "value": value, "type": kind}
        t.dies("header", error_type, words, args=args)
        t.equal(t.reload()["state"], "INITIALIZED")


@row("P01", "printf and binary to stdout and stderr", "success; it is in the log, harmless", WIRE)
def p01(t):
    answer = t.call("print")
    t.equal((answer.status, answer.json.get("result")), (200, {"good": True}))
    t.has(t.log(), "a line for the log", "red")


@row("P02", "1 GB to stdout", "success or TimeoutError; the host's memory stays", WIRE)
def p02(t):
    before = t.memory_kb()
    answer = t.call("flood", {"mb": 1024})
    if answer.status != 200:
        t.answers(answer, 504, "TimeoutError")
    t.grew_less(before, 4096)


@row("P03", "a line of 100 MB, full of escape sequences", "cut, and the escapes made visible",
     native("wire", limits={"timeout_seconds": 20}))
def p03(t):
    t.equal(t.call("flood", {"mb": 100, "lines": False}).status, 200)
    lines = t.host.get(f"/v1/plugins/{t.name}/logs?tail=10000").json["lines"]
    t.check(0 < max(len(line["text"]) for line in lines) <= 16384, "the longest line")


@row("P04", "garbage on descriptor 3", "ProtocolError \"magic\"", WIRE)
def p04(t):
    breaks_rule(t, "garbage", "magic")


@row("P05", "a length of 0xFFFFFFFF, one above the cap",
     "ProtocolError, OutputTooLarge for an answer; nothing is allocated for it", WIRE)
def p05(t):
    before = t.memory_kb()
    each_header(t, ("len", 0xffffffff, 67, ("OutputTooLarge", "ProtocolError"), "stage=call"),
                ("len", RESULT_CAP + 1, 67, ("OutputTooLarge", "ProtocolError"), "stage=call"),
                ("len", 0xffffffff, 70, "ProtocolError", "stage=call"),
                ("len", (16 << 10) + 1, 70, "ProtocolError", "stage=call"),
                ("len", 17, 69, "ProtocolError", "stage=call"))
    t.grew_less(before, 4096)


@row("P06", "length 0, unknown type, version 9, reserved flags, a bad checksum", "ProtocolError", WIRE)
def p06(t):
    each_header(t, ("len", 0, 67, "ProtocolError", "stage=call"),
                ("type", 200, 67, "ProtocolError", "type"),
                ("type", 0, 67, "ProtocolError", "type"),
                ("type", 64, 67, "ProtocolError", "stage=call"),
                ("version", 9, 67, "ProtocolError", "version"),
                ("flags", 1, 67, "ProtocolError", "flags"),
                ("magic", 1, 67, "ProtocolError", "magic"),
                ("crc", 0, 67, "ProtocolError", "crc|checksum"))


@row("P07", "a header, or half of one, and then silence",
     "TimeoutError in a call, ProtocolError after 1 s when nothing is asked", QUICK)
def p07(t):
    for n in (32, 11):
        t.dies("half_header", "TimeoutError", "1s", args={"n": n})
        t.reload()
    t.equal(t.call("idle", {"n": 11, "type": 70}).status, 200)
    t.failed("ProtocolError", "unfinished", "stage=idle")


@row("P08", "half a payload, then the channel is closed", "ProtocolError; the half is never delivered",
     WIRE)
def p08(t):
    answer = t.dies("half_payload", ("ProtocolError", "PluginCrashed"), "stage=call")
    t.check(b"stolen" not in answer.body, repr(answer))


@row("P09", "another call's id, generation, sequence", "ProtocolError; the other call is untouched",
     native("wire", limits={"timeout_seconds": 3, "instances": 2}))
def p09(t):
    for field in ("call_id", "generation", "seq"):
        other = t.begin("flood", {"mb": 30})
        t.host.wait_health(t.name, lambda health: health["in_flight"] == 1)
        t.dies("header", "ProtocolError", "stage=call", args={"field": field, "value": 1})
        t.equal(other.join().status, 200, "the other call")
        t.equal(t.reload()["state"], "INITIALIZED")


@row("P10", "two answers to one call", "the first is delivered, then ProtocolError", WIRE)
def p10(t):
    answer = t.call("twice")
    t.equal((answer.status, answer.json.get("result")), (200, {"first": True}))
    t.failed("ProtocolError", "stage=idle")


@row("P11", "an answer when nothing was asked", "ProtocolError", WIRE)
def p11(t):
    for kind in (67, 69, 66):
        t.equal(t.call("idle", {"type": kind}).status, 200)
        t.failed("ProtocolError", "stage=idle")
        t.reload()


@row("P12", "an answer of before, once more", "ProtocolError", WIRE)
def p12(t):
    t.equal(t.call("replay").status, 200)
    answer = breaks_rule(t, "replay")
    t.check(b"yesterday" not in answer.body, repr(answer))


@row("P13", "closes descriptor 3, or all of them, and goes on", "ProtocolError, soon", WIRE)
def p13(t):
    for args in ({}, {"from": 0, "to": 1023}, {"from": 0, "to": 1023, "return": True}):
        answer = t.dies("close", "ProtocolError", "channel|descriptor 3", "stage=call", args=args)
        t.check(answer.ms < 2500, f"after {answer.ms:.0f} ms")
        t.reload()


@row("P15", "300 times 64 descriptors by SCM_RIGHTS", "dropped; the host's descriptors stay", QUICK)
def p15(t):
    before = t.stage.traces().descriptors
    answer = t.call("rights")
    if answer.status == 422:
        t.answers(answer, 422, "Refused", "it may not")
    else:
        t.equal((answer.status, answer.json.get("result")), (200, {"sent": True}), repr(answer))
        t.check(t.stage.traces().descriptors <= before + 4, "descriptors of the host")


@row("P17", "zero-length messages as a fake end", "not taken for one: success", WIRE)
def p17(t):
    t.equal(t.call("nothing").json.get("result"), {"good": True})
    t.kept()


@row("P18", "never reads what it is sent", "TimeoutError; what the host keeps for it is bounded",
     native("wire", limits={"timeout_seconds": 2}, tools=[
         {"name": "good", "input_schema": {"type": "object", "properties": {
             "data": {"type": "string", "contentEncoding": "base64"}}}}, {"name": "stop_later"}]))
def p18(t):
    before = t.memory_kb()
    t.equal(t.call("stop_later").status, 200)
    pid = t.health()["instances"][0]["pid"]
    t.until(lambda: t.process_state(pid) == "T", "the worker has stopped itself")
    data = base64.b64encode(os.urandom(8 << 20)).decode()
    t.answers(t.call("good", {"data": data}), 504, "TimeoutError")
    t.grew_less(before, 64 << 10)
    t.failed("TimeoutError")


@row("P19", "10^5 PROGRESS and LOG frames as fast as it can", "not all are passed on; the call ends",
     native("wire", limits={"timeout_seconds": 20}))
def p19(t):
    answer = t.call("chatter", {"n": 100000})
    t.equal((answer.status, answer.json.get("result")), (200, {"talked": True}), repr(answer))
    passed_on = t.progress_events()
    t.check(passed_on < 2000, f"{passed_on} progress events")


@row("P21", "READY twice, an answer before there was a call", "ProtocolError stage=load", GOOD)
def p21(t):
    for how in ("ready_twice", "result_early", "meta_twice"):
        t.load_fails(going_wrong("constructor", how), "ProtocolError", "stage=(load|init)",
                     limits={"load_timeout_seconds": 3})
