#!/usr/bin/python3
"""bench_starvation.py -- how long GET /livez takes while a plugin spins in a hundred threads.

    tests/test_plugin_sandbox/bench_starvation.py [--requests N] [--rounds N] [--max-p99 MS]

With the box as it is, without the cgroup's weight, and without the low priority as well; and idle, to
compare with. The cases take turns, and of each its best round is shown: other load of the machine only
ever adds. What is left of it is a ratio to the neighbours in this table.
--max-p99: exit 1 when the first of them is worse. A plugin that starves its host is no unit test.
"""
import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from host import BUILD, Host  # noqa: E402

PLUGIN = os.path.join(BUILD, "tests", "hostile", "plugins", "hang.so")
PAUSE = 0.005  # between two requests, so that the host must be woken for each
CASES = (  # name, walls taken away, does the plugin spin
    ("idle", "", False),
    ("spinning, all walls", "", True),
    ("spinning, no cgroup weight", "cpu", True),
    ("spinning, no weight, no priority", "cpu,priority", True),
)


def make_plugin(folder):
    os.mkdir(os.path.join(folder, "hang"))
    shutil.copy(PLUGIN, os.path.join(folder, "hang", "hang.so"))
    manifest = {"name": "hang", "version": "1.0.0", "entrypoint": "hang.so",
                "limits": {"timeout_seconds": 600},
                "tools": [{"name": "spin_threads", "description": "spins",
                           "input_schema": {"type": "object"}}]}
    with open(os.path.join(folder, "hang", "manifest.json"), "w", encoding="utf-8") as f:
        json.dump(manifest, f)


class Service:
    """A cgroup that the host starts in, as one of systemd's would be: without it the kernel weighs host
    and workers apart anyway, as two sessions (sched_autogroup). Version 1; else the host's own will do."""

    def __init__(self):
        self.path = None
        with open("/proc/self/cgroup", encoding="utf-8") as f:
            for line in f:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                if "cpu" in controllers.split(","):
                    base = os.path.join("/sys/fs/cgroup", controllers, path.lstrip("/"))
                    self.path = os.path.join(base, f"starvation-{os.getpid()}")

    def __enter__(self):
        if self.path:
            try:
                os.mkdir(self.path)
            except OSError as error:
                print(f"(no cgroup to start the host in: {error})", file=sys.stderr)
                self.path = None
        return self

    def launcher(self):
        if not self.path:
            return ()
        return ("/bin/sh", "-c", f'echo 0 > {self.path}/cgroup.procs; exec "$@"', "sh")

    def __exit__(self, *_):
        end = time.monotonic() + 10
        while self.path and time.monotonic() < end:
            try:  # a host that was killed leaves its boxes' directories
                for folder, _, _ in os.walk(self.path, topdown=False):
                    os.rmdir(folder)
                return
            except OSError:
                time.sleep(0.05)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def spin(host):
    """Starts the call, and returns when its threads are seen to burn."""
    def call():
        try:
            host.run("hang", "spin_threads", {})
        except Exception:  # pylint: disable=broad-except  # the host is ended under it
            pass
    threading.Thread(target=call, daemon=True).start()
    pid = host.health("hang")["instances"][0]["pid"]
    before, end = cpu_seconds(pid), time.monotonic() + 60
    while cpu_seconds(pid) < before + 0.5:
        if time.monotonic() > end:
            raise SystemExit("bench_starvation.py: the plugin does not spin")
        time.sleep(0.05)


def measure(missing, spins, requests):
    """Milliseconds of each request, sorted."""
    with Service() as service, tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        make_plugin(folder)
        host = Host([folder], ["--min-isolation", "none"], env={"FORGESYTE_FAKE_MISSING": missing},
                    launcher=service.launcher())
        try:
            host.wait_state("hang", "INITIALIZED")
            if spins:
                spin(host)
            connection, times = host.connect(60), []
            for _ in range(requests):
                time.sleep(PAUSE)
                start = time.monotonic()
                connection.request("GET", "/livez")
                connection.getresponse().read()
                times.append((time.monotonic() - start) * 1000)
            connection.close()
        finally:
            host.process.kill()
            host.process.wait()
    return sorted(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-p99", type=float)
    options = parser.parse_args()
    p99 = {}
    print(f"{'GET /livez, ms':36} {'median':>8} {'p99':>8} {'worst':>8}")
    rounds = {name: [] for name, _, _ in CASES}
    for _ in range(options.rounds):
        for name, missing, spins in CASES:
            rounds[name].append(measure(missing, spins, options.requests))
    for name, measured in rounds.items():
        times = min(measured, key=lambda one: one[int(len(one) * 0.99)])
        p99[name] = times[int(len(times) * 0.99)]
        print(f"{name:36} {statistics.median(times):8.2f} {p99[name]:8.2f} {times[-1]:8.2f}",
              flush=True)
    if options.max_p99 and p99["spinning, all walls"] > options.max_p99:
        print(f"p99 is above {options.max_p99:g} ms")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
