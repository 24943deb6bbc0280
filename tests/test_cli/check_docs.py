"""check_docs.py WRITE_DOCS [--fix] -- does the manual say what the tables say? Speaks TAP.

Between `begin PART` and `end` the manual holds what `write-docs PART` prints; --fix puts it there.
"""
import os
import re
import subprocess
import sys

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs")
FILES = ("man/forgesyte.1", "CONFIG.md")
SECTION = re.compile(r'((?:\.\\"|<!--) begin ([a-z-]+)(?: -->)?\n)(.*?)((?:\.\\"|<!--) end)', re.S)


def main(program, *flags):
    bad = 0
    print(f"1..{len(FILES)}")
    for number, name in enumerate(FILES, 1):
        path = os.path.join(DOCS, name)
        with open(path, encoding="utf-8") as f:
            text = f.read()

        def printed(found):
            part = subprocess.run([program, found[2]], stdout=subprocess.PIPE, check=True).stdout
            return found[1] + part.decode() + found[4]

        fresh, sections = SECTION.subn(printed, text)
        good = sections > 0 and fresh == text
        if "--fix" in flags and fresh != text:
            with open(path, "w", encoding="utf-8") as f:
                f.write(fresh)
        print(f"{'ok' if good else 'not ok'} {number} - docs/{name} says what the tables say")
        if not good:
            print("# python3 tests/test_cli/check_docs.py .../write-docs --fix")
            bad += 1
    return bad and "--fix" not in flags


sys.exit(main(*sys.argv[1:]))
