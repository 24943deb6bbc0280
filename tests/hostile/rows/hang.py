"""The rows H01 to H13: calls that do not end. Their limit is 1 s here; what is promised is the limit."""
import json
import time

from row import native, python, row

HANG = native("hang", limits={"timeout_seconds": 1})
NO_FORK = {"filtered": "fork is refused, which is the plugin's own error"}


def times_out(t, tool):
    answer = t.dies(tool, "TimeoutError", "1s")
    t.check(950 <= answer.ms <= 2000, f"answered after {answer.ms:.0f} ms")


def times_out_or_may_not_fork(t, tool):
    if t.level == "filtered":
        t.answers(t.call(tool), 422, "NoChild", "refused")
        t.kept()
    else:
        times_out(t, tool)


@row("H01", "sleeps for ever", "TimeoutError at the limit", HANG)
def h01(t):
    times_out(t, "sleep")


@row("H02", "computes for ever", "TimeoutError; the neighbour's calls take no longer", HANG)
def h02(t):
    times_out(t, "spin")
    seen = t.look()
    t.check(seen["calls"]["excess_ms"] < 100, f"the neighbour's calls: {seen['calls']}")


@row("H03", "locks itself out; holds Python's global lock in C", "TimeoutError", HANG,
     beside={"h03-python": python(
         "import ctypes\n\n\nclass Plugin:\n    tools = {'good': lambda: 1,"
         " 'hold': lambda: ctypes.PyDLL(None).sleep(1000)}\n", limits={"timeout_seconds": 1})})
def h03(t):
    times_out(t, "deadlock")
    t.answers(t.call("hold", on="h03-python"), 504, "TimeoutError")
    t.failed("TimeoutError", name="h03-python")


@row("H04", "blocks and handles every signal", "TimeoutError; dead less than 1 s after", HANG)
def h04(t):
    pid = t.health()["instances"][0]["pid"]
    times_out(t, "deaf")
    t.check(t.gone(pid, 1), "the process lives 1 s after the deadline")


@row("H05", "stops itself", "TimeoutError; dead", HANG)
def h05(t):
    pid = t.health()["instances"][0]["pid"]
    times_out(t, "stop")
    t.check(t.gone(pid, 1), "the process lives 1 s after the deadline")


@row("H06", "a child computes, the parent waits", "TimeoutError; both dead", HANG, levels=NO_FORK)
def h06(t):
    times_out_or_may_not_fork(t, "child")


@row("H07", "a vfork child never execs", "TimeoutError; both dead", HANG, levels=NO_FORK)
def h07(t):
    times_out_or_may_not_fork(t, "vfork")


@row("H09", "the answer comes byte by byte, slowly", "TimeoutError at the limit of the whole call", HANG)
def h09(t):
    times_out(t, "drip")


@row("H11", "100 threads compute", "TimeoutError; /livez p99 below 50 ms beyond the machine's", HANG,
     levels=dict.fromkeys(("namespaces", "filtered"), "no cgroup divides the processor: /livez within 3 s"),
     livez={"namespaces": 3000, "filtered": 3000})
def h11(t):
    t.look()
    answer = t.dies("spin_threads", "TimeoutError", "1s")
    livez = t.look()["livez"]
    if t.level == "full":
        t.check(answer.ms < 2000, f"answered after {answer.ms:.0f} ms")
        t.check(min(livez["p99_ms"], livez["excess_ms"]) < 50, f"/livez: {livez}")


@row("H12", "reads stdin", "end of file at once: it is /dev/null", HANG)
def h12(t):
    answer = t.call("stdin")
    t.equal((answer.status, answer.json.get("result")), (200, {"read": 0}))
    t.kept()


@row("H13", "ignores that its call is cancelled",
     "killed after the grace of 2 s; Cancelled; the plugin goes on with another worker",
     native("hang", limits={"timeout_seconds": 30}))
def h13(t):
    pid = t.health()["instances"][0]["pid"]
    connection = t.host.connect()
    connection.request("POST", f"/v1/plugins/{t.name}/tools/sleep/run", json.dumps({}),
                       {"Content-Type": "application/json"})
    t.host.wait_state(t.name, "RUNNING")
    begin = time.monotonic()
    connection.sock.close()
    connection.close()
    t.check(t.gone(pid, 5), "the process lives on")
    t.check(1.8 < time.monotonic() - begin < 3.5, f"killed after {time.monotonic() - begin:.1f} s")
    health = t.kept()
    t.equal(health["error_count"], 0, "errors")
    t.check(health["instances"][0]["pid"] != pid, "still the same process")
