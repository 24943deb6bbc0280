"""kill_nine.py -- the host is killed at random instants; what lives a second later?

    /usr/bin/python3 tests/soak/kill_nine.py [--kills 200] [--seed N]

Each round starts a host over native and Python plugins, lets clients call, crash, fork, time out
and reload, sends SIGKILL to the host at an instant between its start and half a second later, and
looks for everything that had its cgroups, ran its copy of the worker, or stood below it. A process
that is still there after 1 s is a failure. Prints a line for each failure and one for all.
"""
import argparse
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import host as support  # noqa: E402
from plugin_folder import write_plugin  # noqa: E402

GRACE = 1.0
CALLS = (("native", "echo", {"a": 1}), ("native", "sleep", {"ms": 300}), ("native", "segfault", {}),
         ("native", "fork_bomb", {"depth": 2}), ("python", "echo", {"a": 1}), ("python", "hang", {}))
PYTHON = '''
class Plugin:
    name = "python"
    def __init__(self):
        self.tools = {"echo": lambda a: a, "hang": self.hang}
    def hang(self):
        while True:
            pass
'''


def furnish(folder):
    """The plugins of every round, and a copy of the worker that nobody else runs."""
    plugins = os.path.join(folder, "plugins")
    os.mkdir(plugins)
    write_plugin(plugins, "native", like="crashtest")
    write_plugin(plugins, "python", python=PYTHON, on_error="keep",
                 limits={"instances": 2, "timeout_seconds": 2})
    worker = os.path.join(folder, "forgesyte-worker")
    shutil.copy(support.WORKER, worker)
    return plugins, worker


def clients(port, stop):
    """Calls and reloads until the host is gone; what they are answered is not the question here."""
    def work(seed):
        dice = random.Random(seed)
        while not stop.is_set():
            name, tool, arguments = dice.choice(CALLS)
            path = f"/v1/plugins/{name}/tools/{tool}/run"
            if dice.random() < 0.2:
                path, arguments = f"/v1/plugins/{name}/reload", {}
            try:
                answer = subprocess.run(
                    ["curl", "-s", "-m", "2", "-o", "/dev/null", "-H", "Content-Type: application/json",
                     "-d", str(arguments).replace("'", '"'), f"http://127.0.0.1:{port}{path}"],
                    check=False)
                if answer.returncode == 7:
                    return  # nobody listens any more
            except OSError:
                return
    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(3)]
    for thread in threads:
        thread.start()
    return threads


def marked(pid, worker):
    """Processes that carry this host's cgroups or run its worker: {pid: start time}."""
    found = {}
    name = re.compile(rf"forgesyte[-.]{pid}\b")
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/cgroup", encoding="ascii", errors="replace") as f:
                ours = bool(name.search(f.read()))
            ours = ours or os.readlink(f"/proc/{entry}/exe").startswith(worker)
        except OSError:
            continue
        start = support.start_time(int(entry))
        if ours and start and int(entry) != pid:
            found[int(entry)] = start
    return found


def start(plugins, worker):
    process = subprocess.Popen([support.FORGESYTE, "serve", "--listen", "127.0.0.1:0", "--plugins",
                                plugins], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, env=support.environment(FORGESYTE_WORKER=worker),
                               start_new_session=True)
    os.set_blocking(process.stderr.fileno(), False)
    return process


def listen_port(process, until):
    """The port, or None when the instant comes first."""
    text = b""
    while time.monotonic() < until:
        select.select([process.stderr], [], [], max(0, until - time.monotonic()))
        text += process.stderr.read() or b""
        match = support.LISTENING.search(text.decode(errors="replace"))
        if match:
            return int(match.group(3))
    return None


def one_round(plugins, worker, instant):
    """(how many processes it had, those that live on)."""
    process = start(plugins, worker)
    stop = threading.Event()
    until = time.monotonic() + instant
    threads = []
    try:
        port = listen_port(process, until)
        if port:
            threads = clients(port, stop)
            time.sleep(max(0, until - time.monotonic()))  # the instant itself: nothing is awaited
        seen = {**support.processes_below(process.pid), **marked(process.pid, worker)}
    finally:
        process.send_signal(signal.SIGKILL)
        dead_at = time.monotonic()
        process.wait()
        stop.set()
        process.stderr.close()
    # Whatever was born between the look and the kill shows itself by its marks.
    seen.update(marked(process.pid, worker))
    left = {}
    for pid, born in seen.items():
        if support.start_time(pid) == born and \
                not support.gone_within(pid, dead_at + GRACE - time.monotonic()):
            left[pid] = support.command_line(pid)
    left.update({pid: support.command_line(pid) for pid in marked(process.pid, worker)})
    for thread in threads:
        thread.join()
    return len(seen), left


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    dice = random.Random(options.seed)
    folder = tempfile.mkdtemp(prefix="forgesyte-kill-")
    os.chmod(folder, 0o755)
    failed = processes = 0
    try:
        plugins, worker = furnish(folder)
        for number in range(options.kills):
            instant = dice.uniform(0, 0.5)
            had, left = one_round(plugins, worker, instant)
            processes += had
            if left:
                failed += 1
                print(f"round {number}, killed after {instant:.3f} s: still alive: {left}", flush=True)
    finally:
        shutil.rmtree(folder)
    if processes < options.kills:
        print(f"only {processes} processes were seen in all: nothing was tried")
        failed += 1
    print(f"{options.kills} kills (seed {options.seed}), {processes} processes: "
          f"{failed} rounds left one alive after {GRACE:g} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
