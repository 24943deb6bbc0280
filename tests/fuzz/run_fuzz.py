"""run_fuzz.py -- builds the fuzz targets with clang's libFuzzer and runs each for a while.

    make fuzz                     an hour on two cores
    make fuzz FUZZ_SECONDS=5      a smoke run
    make fuzz FUZZ_TARGETS="json schema" FUZZ_SECONDS=3600

FUZZ_SECONDS is for each target; FUZZ_JOBS is how many run at once (default: one a processor);
FUZZ_BUILD is the build folder (default: build-fuzz). What the runs find new stays in
FUZZ_BUILD/corpus, where the next ones go on; what breaks a target stays in FUZZ_BUILD/crashes, and
then the exit status is 1. The table at the end has the executions of each target.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(ROOT, "tests", "fuzz")
BUILD = os.path.join(ROOT, os.environ.get("FUZZ_BUILD") or "build-fuzz")
MESON = os.environ.get("MESON") or "meson"
OPTIONS = ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false"]
HOUR_ON_TWO_CORES = 2 * 3600
INPUT_SECONDS, MEMORY_MIB = 25, 2048  # more for one input is a finding


class Run:
    """One target and what came of it."""

    def __init__(self, name):
        self.name = name
        self.executions = self.covered = self.corpus = self.status = 0
        self.seconds = 0.0
        self.findings, self.output = [], ""

    def failed(self):
        return bool(self.status or self.findings)


def targets():
    """The targets are the folders of the corpus."""
    every = sorted(os.listdir(os.path.join(HERE, "corpus")))
    wanted = (os.environ.get("FUZZ_TARGETS") or "").split() or every
    unknown = [name for name in wanted if name not in every]
    if unknown:
        sys.exit(f"run_fuzz.py: no target {unknown[0]}; there are {', '.join(every)}")
    return wanted


def compile_targets():
    env = {**os.environ, "CC": "clang"}
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run([MESON, "setup", BUILD, ROOT, *OPTIONS], check=True, env=env,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD, "--quiet", "fuzz"], check=True, env=env)


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def fuzz(name, seconds):
    run = Run(name)
    corpus = os.path.join(BUILD, "corpus", name)
    crashes = os.path.join(BUILD, "crashes")
    os.makedirs(corpus, exist_ok=True)
    os.makedirs(crashes, exist_ok=True)
    command = [os.path.join(BUILD, "tests", "fuzz", f"fuzz_{name}"),
               f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}",
               f"-rss_limit_mb={MEMORY_MIB}", "-print_final_stats=1",
               f"-artifact_prefix={crashes}/{name}-"]
    words = os.path.join(HERE, "words", f"{name}.dict")
    if os.path.exists(words):
        command.append(f"-dict={words}")
    command += [corpus, os.path.join(HERE, "corpus", name)]
    begin, began = time.monotonic(), time.time()
    done = subprocess.run(command, cwd=BUILD, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    run.seconds = time.monotonic() - begin
    run.output = done.stdout.decode(errors="replace")
    run.status = done.returncode
    run.executions = last_number(r"stat::number_of_executed_units: (\d+)", run.output)
    run.covered = last_number(r"cov: (\d+)", run.output)
    run.corpus = last_number(r"corp: (\d+)", run.output)
    run.findings = [entry.path for entry in os.scandir(crashes)
                    if entry.name.startswith(f"{name}-") and entry.stat().st_mtime >= began - 1]
    return run


def tell(run):
    speed = run.executions / run.seconds if run.seconds else 0
    print(f"{run.name:14} {run.executions:12,} executions in {run.seconds:5.0f} s, "
          f"{speed:8,.0f}/s{'  FAILED' if run.failed() else ''}", flush=True)
    if run.failed():
        print("\n".join("    | " + line for line in run.output.splitlines()[-40:]), flush=True)


def table(runs):
    print(f"\n{'target':14} {'executions':>12} {'per second':>10} {'edges':>6} {'corpus':>6}  found")
    for run in sorted(runs, key=lambda run: run.name):
        speed = run.executions / run.seconds if run.seconds else 0
        found = ", ".join(os.path.relpath(path, ROOT) for path in run.findings) or \
            (f"exit status {run.status}" if run.status else "nothing")
        print(f"{run.name:14} {run.executions:12,} {speed:10,.0f} {run.covered:6} "
              f"{run.corpus:6}  {found}")
    print(f"{'all':14} {sum(run.executions for run in runs):12,}")


def main():
    names = targets()
    seconds = int(os.environ.get("FUZZ_SECONDS") or HOUR_ON_TWO_CORES // len(names))
    jobs = int(os.environ.get("FUZZ_JOBS") or os.cpu_count() or 2)
    compile_targets()
    print(f"{len(names)} targets, {seconds} s each, {jobs} at once", flush=True)
    runs = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done in concurrent.futures.as_completed(
                [pool.submit(fuzz, name, seconds) for name in names]):
            runs.append(done.result())
            tell(runs[-1])
    table(runs)
    idle = [run.name for run in runs if not run.executions]
    if idle:
        print(f"ran nothing: {', '.join(idle)}")
    return 1 if idle or any(run.failed() for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
