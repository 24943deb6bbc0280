"""serve.py -- the life of a plugin in its box: one request after the other, until SHUTDOWN.

Knows: requests, which of them are in order when, and which module does what.
May not know: layouts, JSON, tracebacks.   Threads: the main one.   Owns: the plugin.

Nothing that a plugin raises in a request ends the loop, BaseException included: it becomes the ERROR
that answers the request. What its timers and threads raise while there is none is for the log, and
ends the process only where a request or an answer would be lost: better than to wait for what is
gone. What the host sends wrongly ends it too, as in the native worker.
"""
import base64
import os
import socket
import struct
import sys
import traceback
from typing import Any, Callable, Dict, List, Optional, Tuple

import forgesyte._host

from . import bridge, failures, loading, prefork, streams, wire
from .arguments import Arguments, HostFiles
from .channel import EXIT_INTERRUPTED, EXIT_PROTOCOL, Channel, give_up
from .convert import encode_result
from .coroutines import Coroutines
from .shared import SharedMemory
from .toolbox import Tool, Toolbox

WIRE_FD = 3
_STATE = struct.Struct("<IQIIQ")  # generation, call id, next seq to and from the host, max_output

LOADED, READY = range(2)  # stages: which requests are in order


class Worker:
    def __init__(self, channel: Channel, load: wire.Load, max_output: int) -> None:
        self.channel = channel
        self.load = load
        self.max_output = max_output
        self.stage: Optional[int] = None
        self.factory: Callable[[], Any] = object
        self.plugin: Any = None
        self.toolbox: Optional[Toolbox] = None
        self.coroutines = Coroutines()
        self.memory = SharedMemory()
        self.files = HostFiles()
        self.failures = failures.Failures(load)
        self.template = prefork.Template()

    # --- one function a request -------------------------------------------------------------------

    def on_load(self) -> None:
        try:
            self.factory = loading.load(self.load.dir, self.load.entrypoint)
        except BaseException as e:
            self.answer_failure(self.failures.of_load, e)
            return
        self.stage = LOADED
        self.answer(wire.READY)

    def on_fork(self, _source: wire.Source) -> None:
        fds = self.channel.take_descriptors()
        streams.flush()
        try:
            pid = self.template.fork(fds)
        except prefork.Refused as e:
            self.answer(wire.ERROR, wire.encode_error(wire.EXCEPTION, "PreforkRefused", str(e), ""))
            return
        if pid:
            self.answer(wire.FORKED, wire.encode_forked(pid))
            return
        self.channel = self.channel.of_copy()
        forgesyte._host.current = bridge.Host(self.channel, self.load)

    def on_ended(self, end: prefork.End) -> None:
        self.channel.send(wire.ENDED, wire.encode_ended(*end))

    def on_init(self, _source: wire.Source) -> None:
        self.template.end()
        try:
            self.plugin = self.factory()
            self.call_hook("on_load")
            self.toolbox = Toolbox(self.plugin, self.load.plugin)
            meta = self.toolbox.meta()
        except BaseException as e:
            self.answer_failure(self.failures.of_init, e)
            return
        self.stage = READY
        self.channel.send(wire.META, wire.encode_meta(meta))
        self.answer(wire.READY)

    def on_validate(self, _source: wire.Source) -> None:
        try:
            self.toolbox.check()
            verdict = self.call_hook("validate")
            loading.check_verdict(verdict)
        except BaseException as e:
            self.answer_failure(self.failures.of_validate, e)
            return
        self.answer(wire.READY)

    def on_call(self, source: wire.Source) -> None:
        self.answer_call(wire.decode_call(source))

    def on_call_shm(self, source: wire.Source) -> None:
        self.answer_call(wire.decode_call_shm(source))

    def answer_call(self, call: wire.Call) -> None:
        try:
            pieces = self.run(call)
        except BaseException as e:
            self.answer_failure(self.failures.of_call, e)
            return
        self.answer(wire.RESULT, pieces)

    def run(self, call: wire.Call) -> Any:
        with self.memory:
            tool = self.toolbox.find(call.tool)
            with self.arguments(call, tool) as arguments:
                result = self.channel.interruptible(
                    lambda: self.coroutines.finish(tool.run(arguments.values,
                                                            self.channel.progress)),
                    self.coroutines.interrupt)
                return encode_result(result, self.max_output)

    def arguments(self, call: wire.Call, tool: Tool) -> Arguments:
        # No frame that lives as long as the call keeps the blobs: who then does is the plugin.
        fd = next(iter(self.channel.take_descriptors()), None)
        blobs = self.memory.blobs(call.blobs, fd, tool.view_names)
        return Arguments(call._replace(blobs=blobs), tool, self.files)

    def call_hook(self, name: str) -> Any:
        hook = getattr(self.plugin, name, None)
        return self.coroutines.finish(hook()) if callable(hook) else None

    # --- answers ----------------------------------------------------------------------------------

    def answer(self, kind: int, pieces: Any = ()) -> None:
        streams.flush()
        self.channel.answer(kind, pieces)

    def answer_failure(self, of: Callable[[BaseException], failures.Failure],
                       e: BaseException) -> None:
        try:
            failure = of(e)
            shown = failure if of == self.failures.of_call else self.failures.shown(failure, e)
        except BaseException:  # an exception that even to look at raises
            failure = shown = failures.UNSPEAKABLE
        if failure.kind != wire.DECLARED and failure.traceback:
            streams.tell(failure.traceback)
        self.answer(wire.ERROR, wire.encode_error(*shown))

    # --- the loop ---------------------------------------------------------------------------------

    def wait(self) -> List[int]:
        """Until there is a request, or copies have ended: these. Nothing is taken yet, so that it can
        be cut short and begun again."""
        while True:
            try:
                ended = [] if self.channel.has_begun() else self.template.wait(self.channel.socket)
                if not ended:
                    self.channel.wait()
                return ended
            except BaseException:
                # A timer, a signal handler or a thread of the plugin's, between two calls.
                streams.tell(traceback.format_exc())

    def serve(self) -> int:
        rules: Dict[int, Tuple[int, Callable[[wire.Source], None]]] = {
            wire.FORK: (LOADED, self.on_fork),
            wire.INIT: (LOADED, self.on_init),
            wire.VALIDATE: (READY, self.on_validate),
            wire.CALL: (READY, self.on_call),
            wire.CALL_SHM: (READY, self.on_call_shm),
        }
        self.on_load()
        while True:
            ended = self.wait()
            for copy in ended:
                self.on_ended(self.template.reap(copy))
            if ended:
                continue
            kind, source = self.channel.next_request()
            if kind == wire.SHUTDOWN:
                break
            stage, handle = rules.get(kind, (None, None))
            if handle is None or stage != self.stage:
                give_up(EXIT_PROTOCOL, "a request of the host is out of turn")
            try:
                handle(source)
            except wire.WireError as e:
                give_up(EXIT_PROTOCOL, str(e))
        return self.shut_down()

    def shut_down(self) -> int:
        """An on_unload that fails is a matter for the log."""
        if self.stage == READY:
            try:
                self.call_hook("on_unload")
            except BaseException:
                traceback.print_exc()
        self.coroutines.close()
        streams.flush()
        return 0


def main(state: str) -> int:
    """`state` is what forgesyte-worker has left of the conversation: docs/PROTOCOL.md."""
    try:
        data = base64.b64decode(state, validate=True)
        generation, call_id, send_seq, receive_seq, max_output = _STATE.unpack_from(data)
        load = wire.decode_load(wire.Source(data[_STATE.size:]))
    except (ValueError, struct.error, wire.WireError) as e:
        give_up(EXIT_PROTOCOL, f"LOAD: {e}")
    os.set_inheritable(WIRE_FD, False)
    sock = socket.socket(fileno=WIRE_FD)
    channel = Channel(sock, generation, call_id, send_seq, receive_seq, wire.LOAD)
    streams.set_up()
    forgesyte._host.current = bridge.Host(channel, load)
    sys.argv[0] = load.entrypoint
    try:
        return Worker(channel, load, max_output).serve()
    except BaseException as e:
        streams.tell(traceback.format_exc())
        give_up(EXIT_INTERRUPTED, f"{type(e).__name__} hit the runtime outside of the plugin's code")
