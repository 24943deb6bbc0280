"""run_v2.py -- the cgroup, memory, runner and wall tests under Debian's own kernel with pure cgroup v2.

    python3 tests/v2/run_v2.py [--build DIR] [--only WORD] [--verbose]

The machine that builds may well have cgroup version 1, or no right to either. So: Debian's kernel,
downloaded and unpacked but not installed, under qemu without KVM; an initramfs of busybox, the
programs of the build folder and the libraries they need; and the Tally of run_tests.py. Nothing but
the build folder is written to, and nobody has to be root.
"""
import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from run_tests import Tally, add_tap, report  # noqa: E402  pylint: disable=wrong-import-position

KERNEL = "linux-image-cloud-amd64"  # the smallest; it depends on the one with a version in its name
MEMORY_MIB = 1536
LIMIT_SECONDS = 1800  # emulation is ten times slower, and others may use the machine, too
ROOT_USER, NOBODY = "0", "65534"

SANDBOX = "tests/test_plugin_sandbox"
BOX = f"/v2/{SANDBOX}/box_probe"
# What runs: (user, name, program and arguments). The user owns the cgroup that it runs in.
PROGRAMS = (
    (ROOT_USER, "test_cgroup", f"{SANDBOX}/test_cgroup", BOX),
    *((ROOT_USER, name, f"{SANDBOX}/{name}", BOX)
      for name in ("test_memory_guard", "test_sandbox_walls", "test_wall_pairs",
                   "test_three_situations", "test_crash_record", "test_sandbox_adopt",
                   "test_sandbox_runner")),
    *((NOBODY, f"{name}_as_user", f"{SANDBOX}/{name}", f"{BOX} nobody")
      for name in ("test_memory_guard", "test_sandbox_walls", "test_wall_pairs",
                   "test_sandbox_runner")),
)
HOST, WORKER = "src/cli/forgesyte", "src/worker/forgesyte-worker"
PLUGIN = "plugins/crashtest"
SMOKE = """\
#!/bin/busybox sh
# smoke.sh -- `forgesyte run` as anybody would: an answer, and a memory hog that is told as one.
export FORGESYTE_WORKER=/v2/src/worker/forgesyte-worker
run() { /v2/src/cli/forgesyte run --plugins /v2/plugins crashtest "$@" > /tmp/answer 2>&1; }
verdict() { if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2"; cat /tmp/answer; fi; }
echo 1..3
run echo --json '{"data":"djI="}'; verdict $? "1 - a tool runs"
run allocate; [ $? = 3 ] && grep -q MemoryLimitExceeded /tmp/answer
verdict $? "2 - a memory hog ends as MemoryLimitExceeded"
run segfault; [ $? = 3 ] && grep -q 'signal 11' /tmp/answer
verdict $? "3 - a null pointer ends as signal 11"
"""


def fetch_kernel(folder):
    """The path of Debian's kernel, downloaded into `folder` when it is not there yet."""
    found = sorted(glob.glob(os.path.join(folder, "boot", "vmlinuz-*")))
    if found:
        return found[-1]
    depends = subprocess.run(["apt-cache", "depends", KERNEL], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    package = re.search(r"Depends: (linux-image-\S+)", depends)
    if not package:
        raise SystemExit(f"run_v2.py: apt knows no {KERNEL}; does `apt-get update` work?")
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["apt-get", "-q", "download", package.group(1)], check=True, cwd=folder,
                   stdout=subprocess.DEVNULL)
    for deb in glob.glob(os.path.join(folder, "*.deb")):
        subprocess.run(["dpkg-deb", "-x", deb, folder], check=True)
        os.unlink(deb)
    return sorted(glob.glob(os.path.join(folder, "boot", "vmlinuz-*")))[-1]


def libraries(program):
    """The shared objects that a program needs, as absolute paths."""
    text = subprocess.run(["ldd", program], check=True, text=True, stdout=subprocess.PIPE).stdout
    return {path for path in re.findall(r"(/\S+) \(0x", text)}


class Tree:
    """The guest's file system, being filled."""

    def __init__(self, folder):
        self.root = os.path.join(folder, "fs")
        for name in ("dev", "proc", "sys", "tmp", "root", "etc", "usr/bin", "usr/lib", "usr/lib64",
                     "usr/sbin", "usr/share", "v2", "var", "mnt", "run"):
            os.makedirs(os.path.join(self.root, name))
        os.chmod(os.path.join(self.root, "tmp"), 0o1777)
        for name in ("bin", "sbin", "lib", "lib64"):
            os.symlink(f"usr/{name}", os.path.join(self.root, name))
        self.libraries = set()

    def path(self, inside):
        path = os.path.join(self.root, inside.lstrip("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def write(self, inside, text, mode=0o644):
        with open(self.path(inside), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(inside), mode)

    def copy(self, source, inside, mode=0o755):
        shutil.copyfile(source, self.path(inside))
        os.chmod(self.path(inside), mode)

    def program(self, source, inside):
        self.copy(source, inside)
        for library in libraries(source) - self.libraries:
            # Debian's /lib is a link to /usr/lib, and so is the guest's.
            self.copy(os.path.realpath(library), "/usr" + library.removeprefix("/usr"))
            self.libraries.add(library)

    def busybox(self):
        program = shutil.which("busybox")
        names = subprocess.run([program, "--list"], check=True, text=True,
                               stdout=subprocess.PIPE).stdout.split()
        self.copy(program, "/usr/bin/busybox")
        for name in set(names) - {"busybox"}:
            os.symlink("busybox", self.path(f"/usr/bin/{name}"))


def build_tree(tree, build, programs):
    tree.busybox()
    tree.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    tree.write("/etc/group", "root:x:0:\nnogroup:x:65534:\n")
    tree.write("/etc/shadow", "root:*:1::::::\n", 0o600)
    for inside in sorted({line[2] for line in programs} | {BOX.removeprefix("/v2/"), HOST, WORKER}):
        tree.program(os.path.join(build, inside), f"/v2/{inside}")
    with open(os.path.join(ROOT, PLUGIN, "manifest.json"), encoding="utf-8") as f:
        manifest = json.load(f)
    manifest["limits"]["timeout_seconds"] = 60  # emulated, filling 256 MiB takes its time
    tree.write(f"/v2/{PLUGIN}/manifest.json", json.dumps(manifest))
    tree.copy(os.path.join(build, PLUGIN, "crashtest.so"), f"/v2/{PLUGIN}/crashtest.so", 0o644)
    tree.write("/v2/smoke.sh", SMOKE, 0o755)
    tree.copy(os.path.join(HERE, "guest.sh"), "/v2/guest.sh")
    lines = ["\t".join((user, name, f"/v2/{program} {args}"))
             for user, name, program, args in programs]
    lines.append(f"{ROOT_USER}\tforgesyte run\t/v2/smoke.sh")
    tree.write("/v2/programs", "\n".join(lines) + "\n")


def make_initramfs(folder, build, programs):
    tree = Tree(folder)
    build_tree(tree, build, programs)
    subprocess.run(["/sbin/ldconfig", "-r", tree.root], check=True)
    os.mkdir(os.path.join(folder, "bin"))
    shutil.copy(os.path.join(HERE, "guest.sh"), os.path.join(folder, "init"))
    os.chmod(os.path.join(folder, "init"), 0o755)
    shutil.copy(shutil.which("busybox"), os.path.join(folder, "bin", "busybox"))
    names = subprocess.run(["find", ".", "-print0"], cwd=folder, check=True,
                           stdout=subprocess.PIPE).stdout
    image = os.path.join(os.path.dirname(folder), "initramfs")
    with open(image, "wb") as f:
        subprocess.run(["cpio", "--null", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=folder,
                       check=True, input=names, stdout=f)
    return image


class Machine:
    """One boot; its lines, as they come."""

    def __init__(self, kernel, image):
        self.qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "2",
             "-m", str(MEMORY_MIB), "-kernel", kernel, "-initrd", image, "-append",
             "console=ttyS0 quiet panic=-1 loglevel=3 tsc=unstable", "-nographic", "-no-reboot",
             "-nodefaults", "-serial", "stdio", "-net", "none"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.timer = threading.Timer(LIMIT_SECONDS, self.qemu.kill)
        self.timer.start()

    def lines(self):
        for raw in self.qemu.stdout:
            yield raw.decode(errors="replace").rstrip("\r\n")

    def end(self):
        self.timer.cancel()
        self.qemu.kill()
        return self.qemu.wait()


def follow(machine, tally, verbose):
    """Counts what the guest says. Returns the names that ended."""
    name, said, ended, early, done = None, [], [], [], False
    started = time.monotonic()
    for line in machine.lines():
        done = done or line == "v2-done"
        if line.startswith("v2-begin "):
            name, said = line.removeprefix("v2-begin "), []
        elif line.startswith("v2-end ") and name:
            status = int(line.removeprefix("v2-end "))
            print(f"[{time.monotonic() - started:4.0f} s] {name}", flush=True)
            print("\n".join(said), flush=True)
            add_tap(tally, f"v2: {name}", "\n".join(said), status == 0, f"exit status {status}")
            ended.append(name)
            name = None
        else:
            (said if name else early).append(line)
        if verbose or (not name and line.startswith("kernel ")):
            print(line, flush=True)
    if not done:
        tally.fail("v2", f"the virtual machine came to its end (it was in {name})",
                   "\n".join((said if name else early)[-40:]))
    return ended


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.environ.get("FORGESYTE_BUILD", "build"))
    parser.add_argument("--only", default="", help="the programs whose names hold this word")
    parser.add_argument("--verbose", action="store_true", help="every line when it comes")
    options = parser.parse_args()
    build = os.path.join(ROOT, options.build)
    programs = [line for line in PROGRAMS if options.only in line[1]]
    tally = Tally()
    kernel = fetch_kernel(os.path.join(build, "v2-kernel"))
    with tempfile.TemporaryDirectory(dir=build, prefix="v2-") as folder:
        os.mkdir(os.path.join(folder, "initramfs.d"))
        image = make_initramfs(os.path.join(folder, "initramfs.d"), build, programs)
        print(f"booting {os.path.basename(kernel)}, initramfs of "
              f"{os.path.getsize(image) >> 20} MiB, {len(programs)} programs", flush=True)
        machine = Machine(kernel, image)
        try:
            ended = follow(machine, tally, options.verbose)
        finally:
            machine.end()
    for line in programs:
        if line[1] not in ended:
            tally.fail("v2", f"{line[1]} ran", "")
    report(tally)
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    for needed in ("qemu-system-x86_64", "busybox", "cpio", "apt-get", "ldd"):
        if not shutil.which(needed):
            sys.exit(f"run_v2.py: no {needed}; `scripts/deps v2` installs it")
    sys.exit(main())
