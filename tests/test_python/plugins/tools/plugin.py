"""Tools that behave and tools that do not: each is one row of test_calls.py or test_cancel.py."""
import asyncio
import logging
import os
import signal
import sys
import threading
import time

import forgesyte

logger = logging.getLogger(__name__)


class Odd(Exception):
    def __str__(self):
        raise RuntimeError("not even this")


class Unspeakable(ModuleNotFoundError):
    @property
    def name(self):
        raise RuntimeError("do not look at me")


class _Private(KeyError):
    pass


class Plugin:
    name = "tools"

    # --- arguments --------------------------------------------------------------------------------

    def echo(self, **everything):
        return everything

    def some(self, a, b=2, *, c=3):
        return [a, b, c]

    def positional(self, a, /, b):
        return [a, b]

    def whole(self, args):
        return args

    def kind(self, data: bytes, note: str = ""):
        return {"type": type(data).__name__, "size": len(data), "note": note}

    def frame(self, frame_bytes, frame_base64=None):
        return [type(frame_bytes).__name__, frame_base64]

    def watch_video(self, video_path):
        self.video = video_path
        try:
            open(video_path, "ab").close()
            mode = "writable"
        except OSError:
            mode = "read-only"
        with open(video_path, "rb") as f:
            return {"suffix": video_path[-4:], "size": len(f.read()), "mode": mode,
                    "bits": oct(os.stat(video_path).st_mode & 0o777)}

    def is_video_gone(self):
        return not os.path.exists(os.path.dirname(self.video))

    # --- results ----------------------------------------------------------------------------------

    def nothing(self):
        pass

    def crop(self):
        return {"crop": forgesyte.Bytes(b"abc", "image/png"), "n": 1}

    def a_set(self):
        return {"boxes": [{"mask": {1}}]}

    def large(self, n):
        return "x" * n

    # --- failures ---------------------------------------------------------------------------------

    def raises(self, what):
        """Evaluates it, so that the exception is raised here."""
        raise eval(what)

    def declared(self, type, message):
        raise forgesyte.ToolError(type, message)

    def exits(self):
        sys.exit(3)

    def interrupted(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

    def recursion(self):
        return self.recursion()

    def memory(self):
        return bytes(1 << 60)

    def checks(self):
        assert 1 == 2, ""

    def long_words(self):
        raise ValueError("%n%s\x1b[31m\0" + "x" * 10_000_000)

    def deep(self, n=150):
        if n == 0:
            raise ValueError("at the bottom")
        return (self.deep if n % 2 else self.deeper)(n - 1)

    def deeper(self, n):
        return self.deep(n - 1) if n else self.deep(0)

    def chained(self):
        try:
            {}["a"]
        except KeyError as e:
            raise RuntimeError("wrapped") from e

    def imports(self):
        import nosuchtorch

        return nosuchtorch

    def dies(self, how):
        eval(how)

    def closes_everything(self):
        os.closerange(0, 1024)
        return 1

    # --- the log ----------------------------------------------------------------------------------

    def speaks(self):
        print("printed")
        print("wrong", file=sys.stderr)
        logger.info("informed")
        logger.debug("hidden")
        print("no newline", end="")
        forgesyte.log("a", 1)
        forgesyte.log("bad", level="error")
        forgesyte.log("long", "ü" * 20000)
        return 1

    # --- progress ---------------------------------------------------------------------------------

    def counts(self, progress_callback):
        progress_callback(1, 4)
        time.sleep(0.1)
        progress_callback(done=2, total=4)
        time.sleep(0.1)
        forgesyte.progress(3, 4)
        for i in range(1000):
            forgesyte.progress(i)
        forgesyte.progress(float("nan"))
        progress_callback("half")
        return 1

    def leaves_a_thread(self):
        def later():
            time.sleep(0.2)
            forgesyte.progress(1, 1)
            forgesyte.log("from the thread")

        threading.Thread(target=later).start()
        return 1

    # --- async ------------------------------------------------------------------------------------

    async def later(self, n):
        await asyncio.sleep(0.01)
        return n + 1

    async def loop_id(self):
        return id(asyncio.get_running_loop())

    async def raises_later(self):
        await asyncio.sleep(0)
        raise LookupError("later")

    # --- processes --------------------------------------------------------------------------------

    def forks(self):
        child = os.fork()
        if child == 0:
            forgesyte.progress(1, 1)
            forgesyte.log("the child")
            return "the child's answer"
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def starts_a_program(self):
        import subprocess

        return subprocess.call(["/bin/sh", "-c", "test -S /proc/self/fd/3"], close_fds=False)

    def alarms_later(self):
        def alarm(*_):
            raise TimeoutError("too late")

        signal.signal(signal.SIGALRM, alarm)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        return 1

    # --- cancellation -----------------------------------------------------------------------------

    def waits(self, how):
        self.seen = "nothing"
        forgesyte.progress(0, 1)
        try:
            getattr(self, "_wait_" + how)()
        except forgesyte.Cancelled:
            self.seen = "Cancelled"
            raise
        finally:
            self.cleaned = True

    def what_was_seen(self):
        return [self.seen, self.cleaned, forgesyte.cancelled()]

    def _wait_sleeping(self):
        time.sleep(60)

    def _wait_counting(self):
        while True:
            pass

    def _wait_except_exception(self):
        while True:
            try:
                time.sleep(60)
            except Exception:
                pass

    def _wait_wrapping(self):
        try:
            time.sleep(60)
        except BaseException as e:
            raise RuntimeError("something went wrong") from e

    def _wait_joining(self):
        def ask():
            while not forgesyte.cancelled():
                time.sleep(0.01)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

    def _wait_reporting(self):
        while True:
            forgesyte.progress(1, 2)
            forgesyte.log("still here")

    def asks(self):
        self.cleaned = False
        forgesyte.progress(0, 1)
        while not forgesyte.cancelled():
            time.sleep(0.001)
        self.seen = "asked"
        time.sleep(0.2)
        forgesyte.progress(1, 1)
        return "stopped by itself"

    async def waits_async(self, how):
        self.seen, self.cleaned = "nothing", False
        forgesyte.progress(0, 1)
        try:
            if how == "awaiting":
                await asyncio.sleep(60)
            elif how == "child":
                await asyncio.gather(asyncio.sleep(60), asyncio.sleep(50))
            else:
                time.sleep(60)
        except asyncio.CancelledError:
            self.seen = "CancelledError"
            raise
        except forgesyte.Cancelled:
            self.seen = "Cancelled"
            raise
        finally:
            self.cleaned = True

    tools = {name: name for name in list(vars()) if not name.startswith("_") and name != "name"}
    tools["echo"] = {"handler": echo, "input_schema": {}}
