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
from trial import Trial

DAMAGES = []


def damage(words):
    """The function does it and returns what undoes it; words must be among the faults."""
    def register(function):
        DAMAGES.append((words, function))
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
    ours = next(name for name in os.listdir(top) if name.startswith("forgesyte-"))
    folder = os.path.join(top, ours, "stays")
    os.mkdir(folder)
    return lambda: os.rmdir(folder)


@damage("secret")
def a_secret_that_is_read(stage):
    with open(stage.canaries.secret, encoding="ascii") as f:
        f.read()
    return lambda: None


@damage("tcp canary")
def a_connection(stage):
    socket.create_connection(("127.0.0.1", stage.canaries.tcp)).close()
    return lambda: None


@damage("scratch was changed")
def a_changed_scratch(stage):
    with open(stage.canaries.scratch, "w", encoding="ascii") as f:
        f.write("changed")
    return lambda: stage.canaries.place_in(stage.instances("neighbour")[0])


@damage("/livez took")
def a_host_that_stops(stage):
    os.kill(stage.host.pid, signal.SIGSTOP)
    time.sleep(0.6)
    os.kill(stage.host.pid, signal.SIGCONT)
    return lambda: None


@damage("neighbour, call")
def a_neighbour_that_dies(stage):
    os.kill(stage.instances("neighbour")[0], signal.SIGKILL)
    stage.host.wait_state("neighbour", "FAILED")

    def undo():
        stage.host.post("/v1/plugins/neighbour/reload")
        stage.canaries.place_in(stage.instances("neighbour")[0])
    return undo


@damage("outcomes of calls")
def a_call_that_nobody_counted(stage):
    stage.host.run("proof", "good")
    return lambda: None


@damage("descriptors of the host")
def a_descriptor_that_stays(stage):
    connection = socket.create_connection((stage.host.address, stage.host.port))
    return connection.close


@damage("the host died")
def a_host_that_dies(stage):
    os.kill(stage.host.pid, signal.SIGKILL)
    stage.host.process.wait()
    return lambda: None


ROW = Row("proof", "", "", native("load"))


def prove(stage, report):
    """One case a damage, on a stage with the plugin `proof`; the last one ends the host."""
    for words, act in DAMAGES:
        begin, trial = time.monotonic(), Trial(ROW, stage)
        undo = act(stage)
        faults = trial.invariants()
        undo()
        told = any(words in fault for fault in faults)
        report.case("seen", stage.situation, act.__name__.replace("_", " "),
                    [] if told else [f"{words!r} is not among {faults}"], time.monotonic() - begin)
        if stage.alive():
            stage.clean()
