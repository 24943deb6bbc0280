"""check_model.py -- Spin searches host.pml: no error in the model, and one in every mutant of it.

    /usr/bin/python3 tests/model/check_model.py [--all]

Speaks TAP, one case a search. --all adds the searches of minutes and gigabytes. A mutant is the
model without what one line of the host does; the model is worth something only while it catches it.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

# (lies of workers, clients that leave, reloads, instances): what is in it, how far is searched.
QUICK = ((0, 0, 1, 1), (0, 1, 1, 1), (1, 1, 0, 1), (0, 0, 0, 2), (0, 1, 0, 2), (1, 0, 0, 2))
LONG = ((1, 0, 1, 1), (1, 1, 1, 1), (1, 1, 0, 2), (2, 0, 0, 2))
# Its number in host.pml: where it shows itself, and by which error.
MUTANTS = {
    "an answer's call id is not compared": (1, (1, 0, 0, 2), "about==victim"),
    "the call in flight is forgotten at a death": (2, (0, 0, 0, 1), "ends[c]==1"),
    "an old worker's end fails the new generation": (3, (0, 0, 1, 1), "culprit==gen"),
    "an old generation's worker gets a call": (4, (0, 0, 1, 1), "I[w].gen==gen"),
    "a cancelled worker has no grace": (5, (0, 1, 0, 1), "invalid end state"),
    "a forgotten call stays with its worker": (6, (0, 1, 0, 1), "ends[victim]==0"),
}


def build(folder):
    """Spin writes the search as a C program."""
    shutil.copy(os.path.join(HERE, "host.pml"), folder)
    subprocess.run(["spin", "-a", "host.pml"], cwd=folder, check=True, stdout=subprocess.PIPE)
    subprocess.run(["cc", "-O1", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=6000", "-o", "pan",
                    "pan.c"], cwd=folder, check=True)


def search(folder, budget, mutant=0):
    """(finished, the first error or None, states)."""
    lies, leavers, reloads, instances = map(str, budget)
    done = subprocess.run(["./pan", "-m200000", "-w22"], cwd=folder, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={"LIES": lies, "LEAVERS": leavers, "RELOADS": reloads,
                               "INSTANCES": instances, "MUTANT": str(mutant)})
    text = done.stdout.decode(errors="replace")
    error = re.search(r"^pan:1: (.*)$", text, re.M)
    states = re.search(r"^ *([0-9.e+]+) states, stored", text, re.M)
    if not states or "max search depth too small" in text or "reached -DMEMLIM" in text:
        return False, text, 0
    # "Search not completed" is right only where an error ended it.
    finished = ("Search not completed" in text) == bool(error)
    return finished, error.group(1) if error else None, int(float(states.group(1)))


def main():
    budgets = QUICK + (LONG if "--all" in sys.argv[1:] else ())
    print(f"1..{len(budgets) + len(MUTANTS)}")
    number = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        build(folder)
        for budget in budgets:
            finished, error, states = search(folder, budget)
            number += 1
            good = finished and error is None
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} - The model holds with {budget[0]} lies, "
                  f"{budget[1]} leavers, {budget[2]} reloads, {budget[3]} instances: {states} states",
                  flush=True)
            if not good:
                print(f"# {error}")
        for what, (mutant, budget, wanted) in MUTANTS.items():
            finished, error, _ = search(folder, budget, mutant)
            number += 1
            good = finished and error is not None and wanted in error
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} - It is seen when {what}", flush=True)
            if not good:
                print(f"# wanted an error with {wanted!r}, found: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
