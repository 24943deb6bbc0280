"""python_floor.py -- what the Python runtime itself costs, without a host, a box or HTTP around it.

    python3 bench/python_floor.py [PYTHON]

Prints medians: from exec to READY, with and without compiled modules; a call that echoes 1 KB of
JSON; one that gets 6 MB of bytes and looks at their size.
"""
import glob
import os
import shutil
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "test_python"))
import fake_host

PYTHON = sys.argv[1] if len(sys.argv) > 1 else fake_host.PYTHON


def median(times, do):
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        do()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def start():
    with fake_host.Runtime("basic", python=PYTHON) as runtime:
        assert runtime.start() is None


def bare():
    os.waitpid(os.posix_spawn(PYTHON, [PYTHON, "-c", ""], os.environ), 0)


def main():
    print(f"python -c ''              {1e3 * median(20, bare):8.1f} ms")
    for folder in glob.glob(os.path.join(ROOT, "python", "**", "__pycache__"), recursive=True):
        shutil.rmtree(folder)
    print(f"to READY, not compiled    {1e3 * median(10, start):8.1f} ms")
    subprocess.run([PYTHON, "-m", "compileall", "-q", os.path.join(ROOT, "python")], check=True)
    print(f"to READY, compiled        {1e3 * median(20, start):8.1f} ms")
    with fake_host.Runtime("basic", python=PYTHON) as runtime:
        assert runtime.start() is None
        text = '{"text":"' + "x" * 1024 + '"}'
        echo = fake_host.call_payload("echo", text)
        frame = fake_host.call_payload("size", "{}", [("image_bytes", "image/png", bytes(6 << 20))])

        def call(payload):
            runtime.send(fake_host.CALL, payload)
            assert isinstance(runtime.outcome(), fake_host.Result)

        print(f"echo of 1 KB              {1e6 * median(3000, lambda: call(echo)):8.1f} us")
        print(f"6 MB as bytes             {1e3 * median(50, lambda: call(frame)):8.1f} ms")


if __name__ == "__main__":
    main()
