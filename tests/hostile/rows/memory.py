"""The rows M01 to M11: calls that take more memory than there is. The limit is 128 MB in most."""
from row import native, row

MEMORY = native("memory")
SENTENCE = "exceeded 128MB memory limit"
LIMIT = "MemoryLimitExceeded \"128MB\""
WATCHED = ("namespaces", "filtered")  # where no cgroup counts: RLIMIT_DATA and the 50 ms watch


@row("M01", "touches 2 GB", LIMIT, MEMORY)
def m01(t):
    t.dies("touch", "MemoryLimitExceeded", SENTENCE)


@row("M02", "leaks 50 MB a call, on_error keep",
     LIMIT + " on the call that hits it; the next one has a new worker",
     native("memory", on_error="keep", restart="on-failure", limits={"timeout_seconds": 20}),
     levels=dict.fromkeys(WATCHED, "or on the one after it, or between calls: the watch looks every 50 ms"))
def m02(t):
    statuses = []
    for _ in range(6):
        answer = t.call("touch", {"mb": 50})
        statuses.append(answer.status)
        if answer.status != 200:
            t.answers(answer, 502, "MemoryLimitExceeded", SENTENCE)
    if t.level in WATCHED:
        t.equal(statuses[:2], [200, 200], "the first calls, which are below the limit")
        last = t.health()["last_failure"]  # the watch may also have found it between two calls
        t.check(last and last["error_type"] == "MemoryLimitExceeded", f"{statuses}, {last}")
    else:
        t.equal(statuses, [200, 200, 502] * 2, "statuses")
    t.kept()


@row("M03", "a child process hits the limit, the worker lives", LIMIT + "; the whole tree is killed",
     MEMORY, levels={"filtered": "fork is refused, which is the plugin's own error"})
def m03(t):
    if t.level == "filtered":
        t.answers(t.call("child"), 422, "NoChild")
    else:
        t.dies("child", "MemoryLimitExceeded", SENTENCE)


@row("M04", "fills a memfd, /dev/shm, a shared mapping",
     LIMIT + "; /dev/shm is full before, which is the plugin's own error", MEMORY,
     levels={"namespaces": "memfds and shared mappings without a file are refused, its own error, too",
             "filtered": "the same, and there is no /dev/shm, or it can't be written to"})
def m04(t):
    t.answers(t.call("shm"), 422, "NoSpace", "errno (13|28)")
    t.kept()
    t.reload()
    if t.level in WATCHED:
        t.answers(t.call("shared"), 422, "OutOfMemory", "errno 1$")
        t.answers(t.call("memfd"), 422, "NoMemfd", "errno 1$")
        t.kept()
        return
    t.dies("shared", "MemoryLimitExceeded", SENTENCE)
    t.reload()
    t.dies("memfd", "MemoryLimitExceeded", SENTENCE)


@row("M05", "page tables: a byte every 2 MB, over 64 TB", LIMIT, MEMORY,
     levels=dict.fromkeys(WATCHED, "or RLIMIT_AS refuses the room, which is the plugin's own error"))
def m05(t):
    if t.level in WATCHED:
        answer = t.call("tables")
        if answer.status == 422:
            t.answers(answer, 422, "NoSpace", "errno 12")
            t.kept()
            return
        t.answers(answer, 502, "MemoryLimitExceeded", SENTENCE)
        t.failed("MemoryLimitExceeded")
    else:
        t.dies("tables", "MemoryLimitExceeded", SENTENCE)


@row("M06", "fills pipes and sockets", LIMIT + ", or no descriptor is left, which is its own error",
     MEMORY)
def m06(t):
    answer = t.call("buffers")
    if answer.status == 422:
        t.answers(answer, 422, "NoDescriptor", "errno (24|1) ")
        t.kept()
    else:
        t.answers(answer, 502, "MemoryLimitExceeded", SENTENCE)


@row("M07", "malloc fails, and the plugin says so, on_error keep", "its own error; no restart",
     native("memory", on_error="keep"))
def m07(t):
    before = t.health()["instances"]
    t.answers(t.call("refused"), 422, "OutOfMemory")
    after = t.kept()
    t.equal(after["instances"][0]["pid"], before[0]["pid"], "pid of the worker")


@row("M08", "stays just below the limit and has the kernel reclaim", "TimeoutError; the host as quick",
     native("memory", limits={"timeout_seconds": 2}))
def m08(t):
    t.dies("thrash", "TimeoutError", args={"mb": 110})


@row("M10", "hits the limit while the answer is put together", LIMIT + "; no half of it", MEMORY,
     levels=dict.fromkeys(WATCHED, "or malloc is refused by RLIMIT_DATA, which is the plugin's own error"))
def m10(t):
    answer = t.call("answer", {"mb": 90})
    if t.level in WATCHED and answer.status == 422:
        t.answers(answer, 422, "OutOfMemory")
        return
    t.answers(answer, 502, "MemoryLimitExceeded", SENTENCE)
    t.check(b"xxxx" not in answer.body, "a part of the answer")
    t.failed("MemoryLimitExceeded")


@row("M11", "10 plugins at once take more than the machine has (here: 512 MB for all of it)",
     "workers die, and are told to have; the host never does (it waits for room: /livez within 1 s)",
     None, own=True, host_memory=512 << 20,
     livez=dict.fromkeys(("full", "namespaces", "filtered"), 1000),
     beside={f"m11-{i}": native("memory", limits={"timeout_seconds": 20}) for i in range(10)},
     levels=dict.fromkeys(WATCHED, "PluginCrashed signal 9: the kernel gives no cause that the host sees"))
def m11(t):
    calls = [t.begin("hold", {"mb": 100, "seconds": 2}, on=f"m11-{i}") for i in range(10)]
    answers = [call.join() for call in calls]
    dead = [answer for answer in answers if answer.status != 200]
    t.check(len(dead) >= 5, f"{len(dead)} of 10 workers died, who had 100 MB each of 512 in all")
    for answer in dead:
        types = ("MemoryLimitExceeded", "PluginCrashed") if t.level == "full" else "PluginCrashed"
        t.answers(answer, 502, types)
        own = answer.error_type == "PluginCrashed"
        t.has(answer.error, "signal 9" if own else "within its 128MB memory limit: the machine, or the cgroup")
    for i, answer in enumerate(answers):
        if answer.status != 200:
            t.failed(("MemoryLimitExceeded", "PluginCrashed"), name=f"m11-{i}")
