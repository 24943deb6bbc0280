"""check_api_docs.py -- docs/HTTP-API.md says of every error type what the code does. Speaks TAP."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOADING = {"ManifestError", "ImportError", "AbiMismatch", "InitError", "ValidationError"}
# These two carry the plugin's own name; the table shows ours in brackets.
OWN = {"ToolError", "PluginError"}
ROW = re.compile(r'X\((\w+), "(\w+)", (\d+), (true|false), ')


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as f:
        return f.read()


def in_code():
    return {name: (int(status), fails == "true")
            for _, name, status, fails in ROW.findall(read("src/loader/plugin_errors.h"))}


def in_docs():
    rows = {}
    for line in read("docs/HTTP-API.md").splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) == 4 and cells[1].isdigit():
            name = re.search(r"\((\w+)\)", cells[0])
            rows[name.group(1) if name else cells[0]] = (int(cells[1]), cells[3].startswith("FAILED"))
    return rows


def main():
    code, docs = in_code(), in_docs()
    wrong = []
    for name, (status, fails) in code.items():
        if name in LOADING:
            if name not in read("docs/HTTP-API.md"):
                wrong.append(f"{name} is not in the docs")
        elif docs.get(name) != (status, fails):
            wrong.append(f"{name}: code says {status} {fails}, docs {docs.get(name)}")
    wrong += [f"{name} is in the docs only" for name in docs if name not in code]
    if not code or not OWN <= set(docs):
        wrong.append("the tables were not found")
    print("1..1")
    print("not ok 1 - HTTP-API.md's error table is the code's" if wrong
          else "ok 1 - HTTP-API.md's error table is the code's")
    for words in wrong:
        print(f"# {words}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
