"""The rows T01 to T06: ends of plugins, of generations, and of the host."""
import signal
import threading
import time

import host as support
from row import native, python, row
from rows.load import GOOD, going_wrong
from traces import memory_kb

SLEEPER = """
import time


def good():
    return {VERSION}


def nap(seconds):
    time.sleep(seconds)
    return {VERSION}


class Plugin:
    tools = {"good": good, "nap": nap}
"""


def sleeper(version, **manifest):
    return python(SLEEPER.replace("{VERSION}", str(version)), version=f"{version}.0.0", **manifest)


@row("T01", "the destructor crashes", "unloaded; HTTP 200, and a warning in the log", GOOD)
def t01(t):
    t.equal(t.reload(going_wrong("fini", "null"))["state"], "INITIALIZED")
    t.call("good")
    health = t.reload(GOOD)
    t.equal((health["state"], health["generation"]), ("INITIALIZED", 3))
    t.has(t.host.stderr(), "warning.*t01.*signal 11")
    t.kept()


@row("T02", "the destructor hangs", "the new generation comes; the old one is killed after 5 s", GOOD)
def t02(t):
    t.equal(t.reload(going_wrong("fini", "sleep"))["state"], "INITIALIZED")
    pid = t.health()["instances"][0]["pid"]
    t.call("good")
    begin = time.monotonic()
    t.equal(t.reload(GOOD)["state"], "INITIALIZED")
    t.check(t.gone(pid, 8), "the old worker lives")
    t.check(time.monotonic() - begin < 6.5, f"gone after {time.monotonic() - begin:.1f} s")
    t.kept()


@row("T03", "a reload during 10 calls", "those in flight end; new ones go to the new version; no mix",
     sleeper(1, limits={"instances": 3, "timeout_seconds": 20}))
def t03(t):
    calls = [t.begin("nap", {"seconds": 0.5}) for _ in range(10)]
    t.host.wait_health(t.name, lambda health: health["in_flight"] == 3)
    t.equal(t.reload(sleeper(2, limits={"instances": 3, "timeout_seconds": 20}))["version"], "2.0.0")
    t.equal(t.call("good").json.get("result"), 2, "a call after the reload")
    answers = [call.join() for call in calls]
    for answer in answers:
        if answer.status != 200:
            t.answers(answer, 503, "PluginUnavailable")
    results = [answer.json["result"] for answer in answers if answer.status == 200]
    t.check(set(results) <= {1, 2} and results.count(1) >= 3, f"results: {results}")
    t.kept()


@row("T04", "1000 times a new generation", "no leak: the memory's slope is nothing, all else is even",
     GOOD)
def t04(t):
    sizes = []
    for _ in range(1000):
        t.equal(t.reload()["state"], "INITIALIZED")
        sizes.append(memory_kb(t.host.pid))
    last = sizes[500:]
    mean = sum(last) / len(last)
    slope = sum((i - 249.5) * (kb - mean) for i, kb in enumerate(last)) / \
        sum((i - 249.5) ** 2 for i in range(500))
    t.notes.append(f"{slope * 1024:.0f} bytes a generation")
    if support.SLOW == 1:
        t.check(slope < 0.5, f"{slope:.2f} KB a generation: {sizes[::50]}")
    t.kept()


@row("T06", "SIGTERM to the host with 10 calls that hang",
     "it ends within 10 s of grace; each call is answered", native(
         "hang", limits={"timeout_seconds": 60, "instances": 5}), own=True)
def t06(t):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(
        t.host.run(t.name, "sleep"))) for _ in range(10)]
    for each in threads:
        each.start()
    t.host.wait_health(t.name, lambda health: health["in_flight"] + health["queue_depth"] == 10)
    t.stage.dismiss_watcher()
    t.stage.canaries.scratch = None  # it ends with its box
    begin = time.monotonic()
    t.host.process.send_signal(signal.SIGTERM)
    status = t.host.process.wait(20)
    took = time.monotonic() - begin
    for each in threads:
        each.join(5)
    t.equal(status, 0, "exit status")
    t.check(took < 12, f"it took {took:.1f} s")
    t.equal(len(answers), 10, "answers")
    for answer in answers:
        t.check(answer.status in (503, 499, 502), repr(answer))
    t.notes.append(f"{took:.1f} s")
    t.ended = True
