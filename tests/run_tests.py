"""run_tests.py -- builds and runs every test, and counts them.

    python3 tests/run_tests.py [--all] [--stage NAME]... [-j N]

A stage is a compiler or a sanitizer; a case is one cmocka or unittest function, as its TAP line says.
The last line is `N passed, N failed, N skipped`; before it stand the failures with their output and
each reason for a skip. A stage that does not build is a failure, and so is a run without a case.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TAP = re.compile(r"^(ok|not ok)\b\s*(\d+)?\s*(?:- )?(.*)$")
TAIL = 60  # lines of a failing test's output that are shown

# What threads share: these run under ThreadSanitizer in `make test`; `make test-all` runs all there.
THREADED_UNITS = ("registry", "pool", "loop", "log")
THREADED_END_TO_END = ("e2e test_generations", "e2e test_sandbox_integration", "e2e test_events")


class Stage:
    """One build folder, and which of meson's tests run in it. select: name -> bool, None: none."""

    def __init__(self, name, folder, options=(), env=None, select=None, long_select=None):
        self.name, self.folder, self.options = name, folder, list(options)
        self.env, self.select, self.long_select = env or {}, select, long_select


def everything(_):
    return True


def quick(test):
    """The hostile corpus in one situation of three."""
    return test not in ("hostile user", "hostile denied")


def sanitized(test):
    """Plugins are plain in every build, and their tests have run."""
    return not test.startswith(("plugin ", "hostile ")) and test != "run_tests"


def sanitized_and_hostile(test):
    """The corpus too, against a sanitized host: 7 minutes."""
    return sanitized(test) or test == "hostile root"


def threaded(test):
    return test in THREADED_END_TO_END or not test.startswith("e2e ") and \
        any(word in test.split("_") for word in THREADED_UNITS)


# Sanitized code is full of checks that gcc's warnings stumble over: -Werror is for the plain builds.
SANITIZED = ["-Dwerror=false", "-Db_lundef=false"]
STAGES = (
    Stage("gcc", "build", select=quick, long_select=everything),
    Stage("clang", "build-clang", env={"CC": "clang"}),
    Stage("asan", "build-asan", ["-Db_sanitize=address,undefined", *SANITIZED],
          select=sanitized, long_select=sanitized_and_hostile),
    Stage("tsan", "build-tsan", ["-Db_sanitize=thread", *SANITIZED], select=threaded,
          long_select=sanitized),
)


class Tally:
    """The cases so far."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def ok(self):
        self.passed += 1

    def fail(self, where, what, output=""):
        self.failed.append((where, what, output))

    def skip(self, where, what, reason):
        self.skipped.append((where, what, reason))

    def count(self):
        return self.passed + len(self.failed) + len(self.skipped)


def tap_cases(text):
    """(ok, name, skip reason or None, what was said before it, what was said after it) of each case."""
    cases, said = [], []
    for line in text.splitlines():
        match = TAP.match(line)
        if not match:
            said.append(line)
            if cases:
                cases[-1][4].append(line)
            continue
        name, _, directive = match.group(3).partition("# ")
        reason = None
        if directive.upper().startswith(("SKIP", "TODO")):  # TODO: known not to work, and said so
            reason = directive[4:].strip()
        cases.append((match.group(1) == "ok", name.strip(), reason, said, []))
        said = []
    return cases


def add_tap(tally, where, text, ended_well, how, errors=""):
    """Counts the TAP lines of one test program; one that died or fell short has failed.
    how: its end in words."""
    plan = re.search(r"(?m)^1\.\.(\d+)", text)
    cases = tap_cases(text)
    bad = 0
    for ok, name, reason, before, after in cases:
        if reason is not None:  # cmocka: "not ok 2 # SKIP name", its words before it
            words = [line.removeprefix("# ") for line in before if line.strip()]
            tally.skip(where, name or reason, reason if name else " ".join(words[-1:]))
        elif ok:
            tally.ok()
        else:
            bad += 1
            tally.fail(where, name, "\n".join(after))
    if plan and len(cases) < int(plan.group(1)):
        tally.fail(where, f"ended after {len(cases)} of {plan.group(1)} cases: {how}",
                   text + errors)
    elif not cases and not (plan and plan.group(1) == "0"):
        tally.fail(where, f"ran no case: {how}", text + errors)
    elif not bad and not ended_well:
        tally.fail(where, how, text + errors)


def run(command, env=None):
    """(exit status, output) of a command in the root folder."""
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **(env or {})}, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode(errors="replace")


def check_sources(tally, long):
    """The checks that need no build of their own."""
    for script in ("check_layers.py", "check_api_docs.py", "check_format.py",
                   "model/check_model.py"):
        say(f"{script}")
        more = ["--all"] if long and script.startswith("model/") else []
        status, output = run([sys.executable, os.path.join("tests", script), *more])
        if script != "check_format.py":
            add_tap(tally, script, output, status == 0, f"exit status {status}")
        elif status:
            tally.fail(script, "C files are laid out as .clang-format says", output)
        else:
            tally.ok()


def compile_stage(tally, stage):
    say(f"{stage.name}: compiling {stage.folder}")
    status, output = run(["scripts/compile", stage.folder, *stage.options], stage.env)
    if status:
        tally.fail(stage.name, f"{stage.folder} compiles without a warning", output)
    else:
        tally.ok()
    return status == 0


def test_names(folder):
    status, output = run(["meson", "introspect", "--tests", folder])
    if status:
        raise SystemExit(output)
    return [test["name"] for test in json.loads(output)]


def run_stage(tally, stage, select, jobs):
    names = sorted({name for name in test_names(stage.folder) if select(name)})
    if not names:
        tally.fail(stage.name, "has a test to run")
        return
    say(f"{stage.name}: running {len(names)} test programs")
    log = os.path.join(ROOT, stage.folder, "meson-logs", "run_tests.json")
    if os.path.exists(log):
        os.unlink(log)
    status, output = run(["meson", "test", "-C", stage.folder, "--no-rebuild", "--logbase",
                          "run_tests", "--num-processes", str(jobs), *names])
    before = tally.count()
    ran = set()
    if os.path.exists(log):
        with open(log, encoding="utf-8") as f:
            for line in f:
                test = json.loads(line)
                ran.add(test["name"].split(" / ")[-1])
                add_result(tally, stage.name, test)
    for name in names:
        if name not in ran:
            tally.fail(stage.name, f"meson ran {name}", f"exit status {status}\n{output}")
    say(f"{stage.name}: {tally.count() - before} cases")


def add_result(tally, stage, test):
    """One line of meson's testlog.json. Its verdict on TAP is not ours: it takes cmocka's skips and
    stray output for failures."""
    where = f"{stage}: {test['name'].split(' / ')[-1]}"
    out, err = test.get("stdout") or "", test.get("stderr") or ""
    result, status = test["result"], test.get("returncode")
    how = f"{result}, exit status {status}"
    if any(TAP.match(line) or line.startswith("1..") for line in out.splitlines()):
        add_tap(tally, where, out, status == 0 and result != "TIMEOUT", how, err)
    elif result == "OK":
        tally.ok()
    elif result == "SKIP":
        tally.skip(where, "the whole program", (out + err).strip().split("\n")[-1])
    else:
        tally.fail(where, how, out + err)


def say(words):
    print(f"[{time.monotonic() - STARTED:4.0f} s] {words}", flush=True)


def report(tally):
    for where, what, reason in tally.skipped:
        print(f"skipped  {where}: {what}: {reason or 'no reason given'}")
    for where, what, output in tally.failed:
        print(f"FAILED   {where}: {what}")
        for line in output.splitlines()[-TAIL:]:
            print(f"         | {line}")
    for where, what, _ in tally.failed if len(tally.failed) > 1 else ():
        print(f"FAILED   {where}: {what}")
    sys.stdout.flush()
    print(f"{tally.passed} passed, {len(tally.failed)} failed, {len(tally.skipped)} skipped")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every test under ThreadSanitizer too")
    parser.add_argument("--stage", action="append", choices=[s.name for s in STAGES] + ["sources"])
    parser.add_argument("-j", type=int, default=max(2, os.cpu_count() or 2))
    options = parser.parse_args()
    wanted = options.stage or [stage.name for stage in STAGES] + ["sources"]
    tally = Tally()
    for stage in STAGES:
        if stage.name in wanted and compile_stage(tally, stage):
            select = (options.all and stage.long_select) or stage.select
            if select:
                run_stage(tally, stage, select, options.j)
    if "sources" in wanted:
        check_sources(tally, options.all)
    report(tally)
    return 1 if tally.failed or not tally.passed else 0


STARTED = time.monotonic()
if __name__ == "__main__":
    for program in ("meson", "ninja"):
        if not shutil.which(program):
            sys.exit(f"run_tests.py: no {program}; `make deps` installs it")
    sys.exit(main())
