"""soak.py -- 100,000 mixed calls and crashes: does the host grow?

    /usr/bin/python3 tests/soak/soak.py [--calls 100000] [--clients 6]

One host, native and Python plugins, persistent clients: echoes, images of 200 KB, progress, refused
arguments, errors, clients that leave, and now and then a crash, an endless loop or a memory hog,
after which its plugin is reloaded. A thousand times meanwhile the host's private memory,
descriptors, threads, cgroups and processes are read. A line is fitted through the last half: more
than 1 KB, 0.001 descriptors, threads, cgroups or processes a thousand calls is a failure, and so is
an answer that the call does not explain. Ends with a table.
"""
import argparse
import collections
import http.client
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import host as support  # noqa: E402
from plugin_folder import write_plugin  # noqa: E402

PYTHON = '''
import forgesyte
class Plugin:
    name = "python"
    def __init__(self):
        self.tools = {"echo": lambda a: a, "raise": self.fail, "size": self.size,
                      "steps": self.steps, "kill": self.kill, "say": self.say}
    def fail(self):
        raise ValueError("on purpose")
    def size(self, image_bytes: bytes):
        return len(image_bytes)
    def steps(self):
        for n in range(20):
            forgesyte.progress(n, 20)
        return 20
    def say(self):
        print("a line of the log\\n" * 40_000)
    def kill(self):
        import os
        os.kill(os.getpid(), 11)
'''
# (weight, plugin, tool, arguments, statuses that are right). The frail ones fail on purpose (an
# echo then too, that was in flight or came too late), and whoever sees it reloads them.
MIX = (
    (3000, "calm", "echo", {"a": 1}, {200}),
    (2000, "python", "echo", {"a": {"b": [1, 2, 3]}}, {200}),
    (300, "python", "size", b"x" * 200_000, {200}),
    (200, "python", "steps", {}, {200}),
    (200, "python", "raise", {}, {502}),
    (200, "calm", "error", {}, {422}),
    (200, "calm", "no_such_tool", {}, {404}),
    (200, "calm", "sleep", {"ms": "x"}, {422}),
    (30, "crash", "segfault", {}, {502, 503}),
    (10, "crash", "exit", {}, {502, 503}),
    (6, "crash", "allocate", {"mb": 400}, {502, 503}),
    (2, "crash", "spin", {}, {502, 503, 504}),
    (20, "pycrash", "kill", {}, {502, 503}),
    (300, "forked", "echo", {"a": 1}, {200, 502, 503}),
    (20, "forked", "kill", {}, {502, 503}),
)
FRAIL = ("crash", "pycrash", "forked")
LIMITS = {"memory KB": 1.0, "descriptors": 0.001, "threads": 0.001, "cgroups": 0.001,
          "processes": 0.001}


class Client(threading.Thread):
    """One connection that is kept, and calls until the count is reached."""

    def __init__(self, soak, seed):
        super().__init__(daemon=True)
        self.soak, self.dice, self.connection = soak, random.Random(seed), None

    def ask(self, path, body, kind):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.soak.host.port, timeout=60)
        try:
            self.connection.request("POST", path, body=body, headers={"Content-Type": kind})
            answer = self.connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            raise

    def leave(self, path):
        """Asks, and does not wait for the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.soak.host.port, timeout=60)
        connection.request("POST", path, body=b"{}", headers={"Content-Type": "application/json"})
        connection.close()

    def run(self):
        weights = [row[0] for row in MIX]
        try:
            while self.soak.take():
                _, name, tool, arguments, right = self.dice.choices(MIX, weights)[0]
                path = f"/v1/plugins/{name}/tools/{tool}/run"
                if self.dice.random() < 0.002:
                    self.leave("/v1/plugins/python/tools/steps/run")
                raw = isinstance(arguments, bytes)
                status = self.ask(path, arguments if raw else json.dumps(arguments),
                                  "image/png" if raw else "application/json")
                self.soak.note(name, tool, status, right)
                if name in FRAIL and status in (502, 503, 504):
                    self.ask(f"/v1/plugins/{name}/reload", "", "application/json")
        except Exception as fault:  # a client that falls silent would be a pass
            self.soak.wrong[f"client: {fault!r}"] += 1


class Soak:
    def __init__(self, host, calls):
        self.host, self.calls, self.done = host, calls, 0
        self.lock = threading.Lock()
        self.statuses, self.wrong = collections.Counter(), collections.Counter()
        self.samples = []

    def take(self):
        with self.lock:
            self.done += 1
            return self.done <= self.calls

    def note(self, name, tool, status, right):
        with self.lock:
            self.statuses[f"{name} {tool} {status}"] += 1
            if status not in right:
                self.wrong[f"{name} {tool}: {status}"] += 1

    def sample(self):
        pid = self.host.pid
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            anonymous = next(int(line.split()[1]) for line in f if line.startswith("Pss_Anon"))
        self.samples.append((min(self.done, self.calls), {
            "memory KB": anonymous, "descriptors": self.host.descriptors(),
            "threads": len(os.listdir(f"/proc/{pid}/task")), "cgroups": len(self.host.cgroups()),
            "processes": len(support.processes_below(pid))}))


def slope(points):
    """Of the line of least squares, per 1000 calls."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    over = sum((x - mean_x) ** 2 for x, _ in points)
    return 1000 * sum((x - mean_x) * (y - mean_y) for x, y in points) / over


def fill_logs(host):
    """A plugin's log is kept up to its bound: this is no growth, so it is full from the beginning."""
    for name, tool, arguments in (("calm", "flood_stdout", {"bytes": 1 << 20}),
                                  ("crash", "flood_stdout", {"bytes": 1 << 20}),
                                  ("python", "say", {}), ("pycrash", "say", {}),
                                  ("forked", "say", {})):
        answer = host.run(name, tool, arguments)
        if answer.status != 200:
            raise AssertionError(f"{name} {tool}: {answer!r}")


def quiet(soak):
    """Nothing is in flight any more and every plugin is back: what stands still is compared."""
    for name in FRAIL:
        soak.host.post(f"/v1/plugins/{name}/reload")
    soak.host.wait_ready()
    # A client's end is seen a moment after it, a large call's memory let go a second after it.
    end = time.monotonic() + 5
    wanted = soak.samples[0][1]["descriptors"] if soak.samples else 0
    while soak.host.descriptors() > wanted and time.monotonic() < end:
        time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=6)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="forgesyte-soak-")
    os.chmod(folder, 0o755)
    write_plugin(folder, "calm", like="crashtest", on_error="keep", limits={"instances": 2})
    write_plugin(folder, "crash", like="crashtest", limits={"timeout_seconds": 1, "memory_mb": 128})
    write_plugin(folder, "python", python=PYTHON, on_error="keep", limits={"instances": 2})
    write_plugin(folder, "pycrash", python=PYTHON)
    write_plugin(folder, "forked", python=PYTHON, prefork=True, limits={"instances": 2})
    began = time.monotonic()
    host = support.Host([folder])
    try:
        host.wait_ready()
        fill_logs(host)
        soak = Soak(host, options.calls)
        rounds = 40  # between two of them everything comes to rest, and is read
        for number in range(rounds):
            soak.calls = options.calls * (number + 1) // rounds
            soak.done = min(soak.done, options.calls * number // rounds)
            clients = [Client(soak, number * 100 + n) for n in range(options.clients)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            quiet(soak)
            soak.sample()
        alive = host.alive()
    finally:
        status = host.stop()
        shutil.rmtree(folder)
    failed = report(soak, time.monotonic() - began)
    if not alive or status != 0 or host.leftovers():
        print(f"the host: alive {alive}, exit status {status}, left {host.leftovers()}")
        failed += 1
    return 1 if failed else 0


def report(soak, seconds):
    half = soak.samples[len(soak.samples) // 2:]
    failed = len(soak.wrong)
    for line, count in sorted(soak.statuses.items()):
        print(f"  {count:8d}  {line}")
    for line, count in soak.wrong.items():
        print(f"WRONG {count:8d}  {line}")
    print("memory, KB:", *(sample["memory KB"] for _, sample in soak.samples))
    print(f"{'':14} {'first':>8} {'last':>8}  slope of the last half, per 1000 calls")
    for what, limit in LIMITS.items():
        points = [(x, sample[what]) for x, sample in half]
        grows = slope(points)
        failed += grows > limit
        print(f"{what:14} {soak.samples[0][1][what]:8} {soak.samples[-1][1][what]:8}  "
              f"{grows:+.4f} (at most {limit:g}){'  FAILED' if grows > limit else ''}")
    print(f"{soak.calls} calls in {seconds:.0f} s: {'no slope' if not failed else 'FAILED'}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
