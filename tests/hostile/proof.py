"""proof.py -- does the frame see what it says it looks for? Each damage is done on purpose, outside of
any plugin, and must be told; a check that can't fail is none. Run inside the throw-away world, before
the rows.
"""
import os
import signal
import socket
import subprocess
import time

from row import Row, native
from trial import LIVEZ_MS, Trial

DAMAGES = []


def damage(words, situations=("root", "user", "denied")):
    """The function does it and returns what undoes it; words must be among the faults."""
    def register(function):
        DAMAGES.append((words, situations, function))
        return function
    return register


@damage("left over: process")
def a_process_that_stays(stage):
    process = subprocess.Popen(["sleep", "100"])

    def undo():
        process.kill()
        process.wait()
    return undo


@damage("left over: files")
def a_file_that_stays(stage):
    path = "/dev/shm/stays"
    with open(path, "w", encoding="ascii") as f:
        f.write("x")
    return lambda: os.unlink(path)


@damage("cgroups of boxes")
def a_cgroup_that_stays(stage):
    top = next(iter(stage.cgroup.folders.values()))
    folder = os.path.join(top, "forgesyte-proof", "stays")
    os.makedirs(folder)
    return lambda: os.removedirs(folder)


@damage("secret")
def a_secret_that_is_read(stage):
    with open(stage.canaries.secret, encoding="ascii") as f:
        f.read()
    return lambda: None


@damage("tcp canary")
def a_connection(stage):
    socket.create_connection(("127.0.0.1", stage.canaries.tcp)).close()
    return lambda: None


@damage("scratch was changed", ("root", "user"))
def a_changed_scratch(stage):
    stage.host.run("neighbour", "keep", {"text": "changed"})
    return stage.place_in_scratch


@damage("/livez took")
def a_host_that_stops(stage):
    os.kill(stage.host.pid, signal.SIGSTOP)
    time.sleep(2.4 * LIVEZ_MS / 1000)
    os.kill(stage.host.pid, signal.SIGCONT)
    return lambda: None


@damage("neighbour, call")
def a_neighbour_that_dies(stage):
    os.kill(stage.instances("neighbour")[0], signal.SIGKILL)
    stage.host.wait_state("neighbour", "FAILED")

    def undo():
        stage.host.post("/v1/plugins/neighbour/reload")
        stage.place_in_scratch()
    return undo


@damage("outcomes of calls")
def a_call_that_nobody_counted(stage):
    stage.host.run("proof", "good")
    return lambda: None


@damage("the host died")
def a_host_that_dies(stage):
    os.kill(stage.host.pid, signal.SIGKILL)
    stage.host.process.wait()
    return lambda: None


ROW = Row("proof", "", "", native("load"))


def prove(stage, report):
    """One case a damage, on a stage with the plugin `proof`; the last one ends the host."""
    for words, situations, act in DAMAGES:
        if stage.situation not in situations:
            continue
        begin, trial = time.monotonic(), Trial(ROW, stage)
        undo = act(stage)
        faults = trial.invariants()
        undo()
        told = any(words in fault for fault in faults)
        report.case("seen", stage.situation, act.__name__.replace("_", " "),
                    [] if told else [f"{words!r} is not among {faults}"], time.monotonic() - begin)
        if stage.alive():
            stage.clean()
