"""embed_files.py -- files into a C table: embed_files.py OUT.c SYMBOL FILE...

The table is an array of {name, text, size}, ended by a NULL name; names are the files' last parts.
Declared by whoever reads it (src/cli/template.h).
"""
import os
import sys


def c_string(data):
    """Octal escapes of fixed length: nothing that follows can be taken into one."""
    plain = set(range(32, 127)) - set(b'"\\?')
    return "".join(chr(b) if b in plain else f"\\{b:03o}" for b in data)


def c_row(path):
    with open(path, "rb") as f:
        data = f.read()
    lines = "\n".join(f'     "{c_string(line)}"' for line in data.splitlines(keepends=True))
    return f'    {{"{os.path.basename(path)}",\n{lines or chr(34) * 2},\n     {len(data)}}},\n'


def main(out, symbol, *paths):
    with open(out, "w", encoding="ascii") as f:
        f.write('#include "cli/template.h"\n\n')
        f.write(f"const struct template_file {symbol}[] = {{\n")
        f.writelines(c_row(path) for path in paths)
        f.write("    {0},\n};\n")


main(*sys.argv[1:])
