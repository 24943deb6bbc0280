"""coroutines.py -- async tools: one event loop for the life of the worker.

Knows: asyncio.   May not know: what the coroutines are for.   Threads: the main one.

asyncio is imported when the first coroutine comes: half of the time it takes to start is saved for
plugins that have none.
"""
import inspect
import sys
from typing import Any

from forgesyte.errors import Cancelled

CLOSE_SECONDS = 1.0


class Coroutines:
    def __init__(self) -> None:
        self._loop: Any = None
        self._task: Any = None
        self._interrupted = False

    def finish(self, value: Any) -> Any:
        """The value, awaited when it is awaitable."""
        if not inspect.isawaitable(value):
            return value
        import asyncio

        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        self._task = asyncio.ensure_future(value, loop=self._loop)
        try:
            return self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            if self._interrupted:
                raise Cancelled("the client has left") from None
            raise
        finally:
            task, self._task, self._interrupted = self._task, None, False
            self._drop(task)

    def _drop(self, task: Any) -> None:
        """A task that was left in the middle, because an exception came out of the loop itself."""
        if task.done() or self._loop.is_running():
            return
        task.cancel()
        try:
            self._loop.run_until_complete(sys.modules["asyncio"].wait([task],
                                                                      timeout=CLOSE_SECONDS))
        except BaseException:
            pass

    def interrupt(self) -> None:
        """The client has left. Called in the main thread, between two steps of whatever runs."""
        if self._task is None:
            raise Cancelled("the client has left")
        asyncio = sys.modules["asyncio"]
        self._interrupted = True
        self._loop.call_soon_threadsafe(self._task.cancel)
        try:
            in_a_step = asyncio.current_task(self._loop) is not None
        except RuntimeError:
            in_a_step = False
        if in_a_step:  # perhaps one that never gets back to the loop
            raise Cancelled("the client has left")

    def close(self) -> None:
        """Ends what tasks the plugin has left running."""
        if self._loop is None or self._loop.is_closed():
            return
        asyncio = sys.modules["asyncio"]
        try:
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.wait(tasks, timeout=CLOSE_SECONDS))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
        except BaseException:
            pass
