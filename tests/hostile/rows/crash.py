"""The rows C01 to C17: a worker that dies in the middle of a call."""
import threading

from row import native, python, row

CRASH = native("crash")


@row("C01", "NULL dereference", "PluginCrashed signal 11 at address 0x0, stage=call", CRASH)
def c01(t):
    t.dies("null", "PluginCrashed", "signal 11", "address 0x0 ", "stage=call", signal=11)


@row("C02", "infinite recursion", "PluginCrashed signal 11 \"stack overflow\"", CRASH)
def c02(t):
    t.dies("recursion", "PluginCrashed", "signal 11", "stack overflow", signal=11)


@row("C03", "abort()", "PluginCrashed signal 6", CRASH)
def c03(t):
    t.dies("abort", "PluginCrashed", "signal 6", signal=6)


@row("C04", "double free, smashed heap", "PluginCrashed signal 6; glibc's words in the detail", CRASH)
def c04(t):
    t.dies("double_free", "PluginCrashed", "signal 6", "free", signal=6)
    t.reload()
    t.dies("smash", "PluginCrashed", "signal 6", "invalid (size|pointer)", signal=6)


@row("C05", "division by zero, an instruction that this processor does not have",
     "PluginCrashed signal 8, signal 4", CRASH)
def c05(t):
    t.dies("divide", "PluginCrashed", "signal 8", signal=8)
    t.reload()
    t.dies("illegal", "PluginCrashed", "signal 4", signal=4)


@row("C06", "SIGBUS on its own truncated mapping", "PluginCrashed signal 7", CRASH)
def c06(t):
    t.dies("bus", "PluginCrashed", "signal 7", signal=7)


@row("C07", "uncaught C++ exception", "PluginCrashed signal 6, libstdc++'s words in the detail", CRASH)
def c07(t):
    t.dies("throw", "PluginCrashed", "signal 6", "throwing an instance of 'int'", signal=6)


@row("C08", "Python exception, on_error keep", "its own error; the worker is not restarted",
     python("class Plugin:\n    tools = {'good': lambda: 1, 'bad': lambda: {}['missing']}\n",
            on_error="keep"))
def c08(t):
    before = t.health()
    for _ in range(3):
        t.answers(t.call("bad"), 502, "KeyError", "missing")
    after = t.kept()
    t.equal(after["instances"][0]["pid"], before["instances"][0]["pid"], "pid of the worker")
    t.equal(after["generation"], before["generation"])


@row("C09", "exit(0) in the middle of a call", "PluginCrashed \"exited 0 without reply\"", CRASH)
def c09(t):
    t.dies("exit", "PluginCrashed", "exited 0 without reply", "stage=call")


@row("C10", "sys.exit(), os._exit(3), pthread_exit from main",
     "its own error, or PluginCrashed with the exit code; no hang",
     python("import os, sys\n\n\nclass Plugin:\n    tools = {'good': lambda: 1,"
            " 'leave': lambda: sys.exit(5), 'drop': lambda: os._exit(3)}\n"),
     beside={"c10-native": CRASH})
def c10(t):
    t.answers(t.call("leave"), 502, ("SystemExit", "PluginCrashed"), "5")
    t.reload()
    t.dies("drop", "PluginCrashed", "exited 3 without reply")
    t.answers(t.call("exit_thread", on="c10-native"), 502, ("PluginCrashed", "ProtocolError"))


@row("C11", "kill(self, SIGKILL)", "PluginCrashed signal 9, not MemoryLimitExceeded", CRASH)
def c11(t):
    t.dies("raise", "PluginCrashed", "signal 9", signal=9, args={"signal": 9})


@row("C12", "raises SIGTERM, SIGALRM, SIGPIPE", "PluginCrashed with that signal", CRASH)
def c12(t):
    for number in (15, 14, 13):
        t.dies("raise", "PluginCrashed", f"signal {number}", signal=number, args={"signal": number})
        t.reload()


@row("C14", "crash after half a reply", "PluginCrashed; the half is never delivered", CRASH)
def c14(t):
    answer = t.dies("half_reply", "PluginCrashed", "signal 6", signal=6)
    t.check(b"stolen" not in answer.body, repr(answer))


@row("C16", "a crash in 1 of 100 calls, 50 clients, on_error keep", "exactly the hit calls fail",
     native("crash", on_error="keep", restart="on-failure",
            limits={"instances": 3, "timeout_seconds": 20}))
def c16(t):
    answers, numbers, lock = {}, iter(range(400)), threading.Lock()

    def client():
        while True:
            with lock:
                n = next(numbers, None)
            if n is None:
                return
            answers[n] = t.call("sometimes", {"n": n})
    clients = [threading.Thread(target=client) for _ in range(50)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    t.equal(sorted(answers), list(range(400)), "calls with an outcome")
    for n, answer in answers.items():
        if n % 100 == 37:
            t.answers(answer, 502, "PluginCrashed", "signal 6")
        else:
            t.equal((answer.status, answer.json.get("result")), (200, {"n": n}), f"call {n}")
    t.host.wait_health(t.name, lambda health: len(health["instances"]) == 3)
    t.kept()


@row("C17", "the same input always crashes, on_error keep, restart on-failure",
     "that call fails each time and is not tried again; others are served between; FAILED by the cap only",
     native("crash", on_error="keep", restart="on-failure", limits={"timeout_seconds": 20}))
def c17(t):
    errors = t.health()["error_count"]
    for n in range(1, 6):
        t.answers(t.call("poison", {"input": "poison"}), 502, "PluginCrashed", "signal 6")
        good = t.call("poison", {"input": f"other {n}"})
        t.equal((good.status, good.json.get("result")), (200, {"input": f"other {n}"}))
        t.equal(t.health()["error_count"], errors + n, "errors: more would be another try")
    t.dies("poison", "PluginCrashed", "signal 6", args={"input": "poison"}, signal=6)
