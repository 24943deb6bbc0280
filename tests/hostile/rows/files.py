"""The rows F01 to F13: descriptors, files, processes and threads without end."""
import datetime
import os
import re
import time

from row import native, row

FILES = native("files")
NO_FORK = {"filtered": "fork is refused, which is the plugin's own error"}
NO_TMP = {"filtered": "there is no /tmp to write to"}


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def refused(t, tool, words, status=422, **options):
    """Its own error, and nothing else comes of it."""
    answer = t.answers(t.call(tool, **options), status, "Refused", words)
    t.kept()
    return answer


@row("F01", "opens descriptors until it can't", "its own error, EMFILE", FILES)
def f01(t):
    answer = refused(t, "open", "errno 24 after")
    t.check(200 < int(re.search(r"after (\d+)", answer.error)[1]) < 256, answer.error)


@row("F02", "leaks a descriptor a call, on_error keep", "works until EMFILE, which is its own error",
     native("files", on_error="keep"))
def f02(t):
    pid = t.health()["instances"][0]["pid"]
    statuses = [t.call("open", {"n": 1}).status for _ in range(300)]
    first = statuses.index(422)
    t.check(200 < first < 256 and set(statuses[:first]) == {200}, f"{first} calls went well")
    t.check(set(statuses[first:]) <= {422, 502}, f"then {set(statuses[first:])}")
    t.kept()
    t.notes.append("same worker" if t.health()["instances"][0]["pid"] == pid else "another worker")


@row("F03", "fills /tmp", "ENOSPC in the plugin only", FILES, levels=NO_TMP)
def f03(t):
    refused(t, "fill_tmp", "errno (13|2) " if t.level == "filtered" else "errno 28 after (6[0-4])")


@row("F04", "10^5 files", "ENOSPC; gone in less than 1 s", FILES, levels=NO_TMP)
def f04(t):
    refused(t, "inodes", "errno (13|2) " if t.level == "filtered" else "errno 28 after 40")
    begin = time.monotonic()
    t.reload()
    t.check(time.monotonic() - begin < 1, f"a reload took {time.monotonic() - begin:.1f} s")


@row("F05", "a sparse file of 1 PB", "its own error, or PluginCrashed signal 25", FILES)
def f05(t):
    answer = t.call("sparse")
    if answer.status == 422:
        t.answers(answer, 422, "Refused", "errno (27|28|38|1) ")
        t.kept()
    else:
        t.answers(answer, 502, "PluginCrashed", "signal 25")
        t.failed("PluginCrashed", signal=25)


@row("F06", "fork bomb", "ResourceLimitExceeded or TimeoutError; all gone 200 ms later",
     native("files", limits={"timeout_seconds": 1, "memory_mb": 1024}), levels=NO_FORK)
def f06(t):
    if t.level == "filtered":
        refused(t, "fork_bomb", "errno 1 ")
        return
    pid = t.health()["instances"][0]["pid"]
    answer = t.call("fork_bomb")
    begin = time.monotonic()
    t.answers(answer, (502 if answer.status == 502 else 504), ("ResourceLimitExceeded", "TimeoutError"))
    t.check(t.gone(pid, 5), "the worker lives")
    while t.stage.boxed_beyond() and time.monotonic() < begin + 5:
        time.sleep(0.01)
    took = (time.monotonic() - begin) * 1000
    t.notes.append(f"gone after {took:.0f} ms")
    t.check(took < 200 + t.machine_ms(), f"all gone after {took:.0f} ms")
    t.failed(("ResourceLimitExceeded", "TimeoutError"))


@row("F07", "200 daemons in sessions of their own, then success",
     "success; all gone with the worker at the latest", FILES, crowded=True, levels=NO_FORK)
def f07(t):
    answer = t.call("daemons", {"n": 200})
    t.equal(answer.status, 200, repr(answer))
    made = answer.json["result"]["daemons"]
    t.check(made == 0 if t.level == "filtered" else made > 50, f"{made} daemons")
    t.check(t.stage.box_processes(t.name) <= 130, "processes in the box")
    t.reload()
    t.row_is_clean_again()


@row("F08", "thread bomb", "its own error, or ResourceLimitExceeded", FILES)
def f08(t):
    answer = t.call("thread_bomb")
    if answer.status == 422:
        made = int(re.search(r"after (\d+)", answer.error)[1])
        t.check(made < 300, f"{made} threads: more than any one plugin may have")
        t.kept()
    else:
        t.answers(answer, 502, "ResourceLimitExceeded")
        t.failed("ResourceLimitExceeded")


@row("F09", "10^4 children that nobody waits for", "its own error at the limit; no zombies left after it",
     FILES, levels=NO_FORK, crowded=True)
def f09(t):
    refused(t, "zombies", "errno 1 after 0" if t.level == "filtered" else "errno 11 after")
    t.reload()
    t.row_is_clean_again()


@row("F10", "writes to its own folder, /usr, /etc, /dev", "EROFS or EACCES", FILES)
def f10(t):
    answer = t.call("write")
    t.equal((answer.status, answer.json.get("result")), (200, {"written": ""}))
    t.kept()


@row("F11", "raises RLIMIT_CORE and crashes with 900 MB", "no core file; known 200 ms later", native(
    "files", limits={"memory_mb": 1100, "timeout_seconds": 20}))
def f11(t):
    t.dies("core", "PluginCrashed", "signal 6", signal=6)
    lines = t.host.get(f"/v1/plugins/{t.name}/logs").json["lines"]
    said = next(line["at"] for line in lines if line["text"] == "now")
    took = (when(t.health()["last_failure"]["at"]) - when(said)) * 1000
    t.notes.append(f"known after {took:.0f} ms")
    t.check(took < 200 + t.machine_ms(), f"known after {took:.0f} ms")
    cores = [name for top in ("/", "/tmp", t.stage.plugin_dir, os.path.join(t.stage.plugin_dir, t.name))
             for name in os.listdir(top) if name.startswith("core")]
    t.equal(cores, [], "core files")


@row("F13", "leaves SysV shm, queues, semaphores and a POSIX queue behind",
     "refused, or in the box's own namespace; none is there after", FILES)
def f13(t):
    before = ipc()
    t.equal(t.call("ipc").status, 200)
    t.equal(ipc(), before, "SysV objects and queues of the machine, while the box lives")
    t.kept()


def ipc():
    found = []
    for name in ("shm", "msg", "sem"):
        with open(f"/proc/sysvipc/{name}", encoding="ascii") as f:
            found.append(f.read().count("\n"))
    return found
