"""The rows I01 to I06: a plugin whose init goes wrong, or takes its time."""
import os
import threading
import time

from row import native, row
from rows.load import GOOD, going_wrong


@row("I01", "init returns an error with a text", "InitError with that text", GOOD)
def i01(t):
    t.load_fails(going_wrong("init", "flux"), "InitError", "the init is off by 7: flux")


@row("I02", "init hangs", "TimeoutError stage=init", GOOD)
def i02(t):
    t.load_fails(going_wrong("init", "sleep"), "TimeoutError", "stage=init",
                 limits={"load_timeout_seconds": 1})


@row("I03", "init dereferences NULL", "PluginCrashed stage=init signal 11", GOOD)
def i03(t):
    t.load_fails(going_wrong("init", "null"), "PluginCrashed", "stage=init", signal=11)


@row("I04", "init fails every second time, restart on-failure",
     "comes back by itself; the back-off begins at 1 s again after a success", GOOD)
def i04(t):
    folder = os.path.join(t.stage.folder, "flaky")
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    flaky = native("load", restart="on-failure", env={"FLAKY": folder + "/file"},
                   permissions={"write": [folder]})
    t.equal(t.reload(flaky)["state"], "FAILED", "state after the first time")
    for _ in range(2):
        begin = time.monotonic()
        health = t.host.wait_state(t.name, "INITIALIZED")
        took = time.monotonic() - begin
        t.equal(health["last_failure"]["error_type"], "InitError")
        t.check(took < 4.5, f"came back after {took:.1f} s: 1 s, or 1 and 2 s, were right")
        t.kept()
        t.answers(t.call("abort"), 502, "PluginCrashed", "signal 6")  # and the next init fails
        t.host.wait_state(t.name, "FAILED")
    t.equal(t.reload(GOOD)["state"], "INITIALIZED", "state after a reload by hand")
    os.rmdir(folder) if not os.listdir(folder) else None


@row("I05", "init prints 100 MB", "ready; the log is capped and says what was dropped", GOOD)
def i05(t):
    health = t.reload(going_wrong("init", "talk"))
    t.equal(health["state"], "INITIALIZED", health["reason"])
    log = t.host.get(f"/v1/plugins/{t.name}/logs").json
    t.check(log["dropped_bytes"] > 90 << 20, f"dropped {log['dropped_bytes']} bytes")
    t.kept()


@row("I06", "init takes long, as it may", "it is loading, the others answer, /readyz?verbose names it",
     GOOD)
def i06(t):
    thread = threading.Thread(target=t.reload, args=(going_wrong("init", "slow"),))
    thread.start()
    t.host.wait_state(t.name, "LOADED")
    ready = t.host.get("/readyz?verbose")
    t.equal((ready.status, ready.json["plugins"][t.name]), (503, "LOADED"))
    waited = t.call("good")  # it waits for the plugin, within its own limit
    t.equal(waited.status, 200)
    thread.join()
    t.equal(t.host.get("/readyz").status, 200, "/readyz")
    t.kept()
