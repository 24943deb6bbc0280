"""check_format.py -- is every C file laid out as .clang-format says?   --fix: lay it out.

One pinned version, because layouts differ between versions.
"""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = "clang-format-14"
FOLDERS = ("src", "include", "plugins", "tests", "bench")


def c_files(root=ROOT):
    """The C files under git's eye: tracked, or new and not ignored."""
    out = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard",
         *FOLDERS], stdout=subprocess.PIPE, check=False).stdout
    names = [name for name in out.decode().split("\0") if name]
    if not names:  # an archive without git
        names = [os.path.relpath(os.path.join(folder, name), root)
                 for top in FOLDERS for folder, _, files in os.walk(os.path.join(root, top))
                 for name in files]
    return sorted({name for name in names
                   if name.endswith((".c", ".h")) and os.path.exists(os.path.join(root, name))})


def badly_laid_out(names):
    """The names that clang-format would change, one `file:line` each."""
    done = subprocess.run([PROGRAM, "--dry-run", "--Werror", "--ferror-limit=1", *names],
                          cwd=ROOT, stderr=subprocess.PIPE, check=False)
    lines = [line for line in done.stderr.decode().splitlines() if ": error:" in line]
    if done.returncode and not lines:
        lines = [done.stderr.decode().strip()]
    return [line.split(": error:")[0] for line in lines]


def main(argv):
    names = c_files()
    if "--fix" in argv:
        return subprocess.run([PROGRAM, "-i", *names], cwd=ROOT, check=False).returncode
    bad = badly_laid_out(names)
    for name in bad:
        print(f"{name}: not laid out as .clang-format says; `make format` does it")
    return 1 if bad or not names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
