"""pythons.py -- the interpreters that a person wants tested besides the system's.

FORGESYTE_TEST_PYTHONS=/opt/python3.9/bin/python3:/opt/venv/bin/python names them. Their packages
(numpy, pydantic) are tested too where they have them.
"""
import os
import subprocess

OLDEST = (3, 9)


def version_of(python):
    """(3, 12), or None when it does not start."""
    try:
        text = subprocess.run([python, "-c", "import sys; print(*sys.version_info[:2])"],
                              stdout=subprocess.PIPE, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return tuple(map(int, text.split()))


def named():
    """Those of the environment. One that cannot be started, or is too old, is a mistake."""
    found = [path for path in os.environ.get("FORGESYTE_TEST_PYTHONS", "").split(":") if path]
    for path in found:
        version = version_of(path)
        if version is None or version < OLDEST:
            raise AssertionError(f"FORGESYTE_TEST_PYTHONS: {path} is no Python of 3.9 or later")
    return found
