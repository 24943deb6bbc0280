"""trial.py -- one row on one stage: what it does to the host, and what is then looked at from outside.

Every row's end is judged the same way (invariants()): nothing here believes a plugin.
"""
import json
import queue
import re
import time

import host as support
from host import Pending, gone_within, start_time, stat_fields
from row import merged_plugin
from stage import SETTLE, SETTLE_MEMORY
from traces import memory_kb

LIVEZ_MS = 250 * support.SLOW
LATE_MS = 1000 * support.SLOW  # an outcome comes at most so long after the deadline
RAN = (200, 422, 502, 504)  # statuses of calls that a plugin was given
LOG_MAX = 2 << 20
WATCH = 0.3
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")


class Trial:
    def __init__(self, row, stage):
        self.row, self.stage, self.host, self.level = row, stage, stage.host, stage.level
        self.name = row.name.lower()
        self.identity = (self.host.pid, start_time(self.host.pid))
        self.calls, self.faults, self.notes = [], [], []
        self.uncounted = 0  # calls that end without being counted: cancelled ones
        self.looks = []
        self.ended = False
        self.crowded = row.crowded
        self.lost = set()  # plugins that were taken away and whose numbers can't be asked for
        self.begun = time.monotonic()

    # ---- acts --------------------------------------------------------------------------------

    def call(self, tool, args=None, on=None, **options):
        """One call, and its answer; its deadline is looked after."""
        name = on or self.name
        limit = self.limits(name)
        answer = self.host.run(name, tool, args, **options)
        self.calls.append((name, tool, answer, limit))
        return answer

    def begin(self, tool, args=None, on=None):
        name = on or self.name
        limit = self.limits(name)
        pending = Pending(self.host, name, tool, args)
        join = pending.join

        def joined(patience=60 * support.SLOW):
            answer = join(patience)
            self.calls.append((name, tool, answer, limit))
            return answer
        pending.join = joined
        return pending

    def limits(self, name):
        return self.host.health(name)["limits"]["timeout_seconds"]

    def health(self, name=None):
        return self.host.health(name or self.name)

    def reload(self, plugin=None, name=None, **manifest):
        """A new generation, from other files where a plugin is given. Its health."""
        if plugin:
            self.stage.write(name or self.name, merged_plugin(plugin, manifest))
        answer = self.host.post(f"/v1/plugins/{name or self.name}/reload")
        if answer.status != 200:
            raise AssertionError(f"reload: {answer!r}")
        return answer.json

    def log(self, name=None):
        lines = self.host.get(f"/v1/plugins/{name or self.name}/logs?tail=10000").json["lines"]
        return "\n".join(line["text"] for line in lines)

    def look(self):
        """What the watcher saw since it was last asked; the end of the row judges that, too."""
        seen = self.stage.seen()
        self.looks.append(seen)
        return seen

    def memory_kb(self):
        return memory_kb(self.host.pid)

    def grew_less(self, before, kb, words="the host's memory"):
        """Since it had `before`, right now. A sanitizer keeps what is freed."""
        now = self.memory_kb()
        self.check(now - before < kb or support.SLOW != 1, f"{words}: {now - before} KB more")

    @staticmethod
    def process_state(pid):
        return stat_fields(pid)[0]

    @staticmethod
    def until(holds, what, patience=support.PATIENCE):
        end = time.monotonic() + patience
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"not within {patience} s: {what}")
            time.sleep(0.02)

    def progress_events(self):
        """How many came until now; the others wait for outcomes()."""
        events = self.stage.events.queue
        with events.mutex:
            return sum(1 for item in events.queue if item and item[0] == "progress")

    def machine_ms(self):
        """What the peer's slowest answer took of late: so much is the machine's."""
        return self.look()["peer_worst_ms"]

    def row_is_clean_again(self):
        """The worker that was crowded has been replaced: from here on no box may have more."""
        self.crowded = False

    @staticmethod
    def gone(pid, seconds):
        return gone_within(pid, seconds)

    # ---- expectations ------------------------------------------------------------------------

    def check(self, holds, words):
        if not holds:
            raise AssertionError(words)

    def equal(self, found, wanted, words=""):
        if found != wanted:
            raise AssertionError(f"{words or 'is'}: {found!r}, not {wanted!r}")

    def has(self, text, *words):
        for each in words:
            if not re.search(each, text or "", re.I):
                raise AssertionError(f"{each!r} is not in {text!r}")

    def answers(self, answer, status, error_type, *words):
        """An error answer: status, type, and words (regular expressions) that are in its text."""
        got = answer.status, (answer.json or {}).get("error_type")
        types = error_type if isinstance(error_type, tuple) else (error_type,)
        if got[0] != status or got[1] not in types:
            raise AssertionError(f"wanted {status} {error_type}, got {answer!r}")
        self.has(answer.json["error"], *words)
        return answer

    def failed(self, error_type, *words, signal=None, name=None):
        """The plugin is FAILED, and says why."""
        health = self.host.wait_state(name or self.name, "FAILED")
        last = health["last_failure"]
        types = error_type if isinstance(error_type, tuple) else (error_type,)
        self.check(last["error_type"] in types, f"last_failure: {last!r}, wanted {error_type}")
        if signal is not None:
            self.equal(last["signal"], signal, f"signal of {last!r}")
        self.has(health["reason"], *words)
        self.check(len(health["reason"].encode()) <= 1024, "a reason of more than 1 KB")
        self.host.wait_health(name or self.name, lambda now: not now["instances"], SETTLE)
        self.answers(self.host.run(name or self.name, "good"), 503, "PluginUnavailable")
        return health

    def dies(self, tool, error_type, *words, signal=None, status=None, args=None):
        """A call that costs the plugin its life: the answer's and the state's words are the same."""
        status = status or (504 if error_type == "TimeoutError" else 502)
        answer = self.answers(self.call(tool, args), status, error_type, *words)
        self.failed(error_type, *words, signal=signal)
        return answer

    def kept(self, name=None):
        """The plugin goes on: its next good call works."""
        self.host.wait_state(name or self.name, "INITIALIZED")
        answer = self.call("good", on=name)
        self.check(answer.status == 200, f"the next good call: {answer!r}")
        return self.health(name)

    def load_fails(self, plugin, error_type, *words, signal=None, **manifest):
        """A new generation that does not come to be."""
        health = self.reload(plugin, **manifest)
        self.equal(health["state"], "FAILED", f"state ({health['reason']!r})")
        return self.failed(error_type, *words, signal=signal)

    # ---- what every row must leave as it was -------------------------------------------------

    def invariants(self):
        """Words for each that does not hold. The row's own failure is not among them."""
        faults = self.faults
        if self.ended:  # on purpose: what the host leaves is looked at when the stage is taken down
            return faults + self.stage.canaries.take_hits()
        if not self.host.alive() or (self.host.pid, start_time(self.host.pid)) != self.identity:
            return [*faults, f"the host died: {self.host.process.poll()}\n{self.host.stderr()[-2000:]}"]
        for name, tool, answer, limit in self.calls:
            late = answer.ms - limit * 1000
            if late > LATE_MS:
                faults.append(f"{name}.{tool} was answered {late:.0f} ms after its deadline")
        self.left_over()
        self.next_good_call()
        self.seen_by_watcher()
        self.outcomes()
        faults += self.stage.canaries.take_hits()
        self.logs()
        return faults

    def left_over(self):
        """Given SETTLE seconds, and the memory a little more: it is looked at until it is well."""
        begin = time.monotonic()
        crowded = self.stage.instances(self.name) if self.crowded else ()
        while True:
            past = time.monotonic() - begin
            words = self.stage.traces().beyond(self.stage.before, crowded,
                                               self.row.memory and support.SLOW == 1)
            only_memory = all(w.startswith("memory") for w in words)
            if not words or past > (SETTLE_MEMORY if only_memory else SETTLE):
                break
            time.sleep(0.05)
        self.faults += [f"left over: {each}" for each in words]

    def next_good_call(self):
        for name in self.row.plugins():
            answer = self.host.get(f"/v1/plugins/{name}/health")
            if answer.status == 200 and answer.json["state"] in ("INITIALIZED", "RUNNING"):
                good = self.call("good", on=name)
                if good.status != 200:
                    self.faults.append(f"the next good call to {name}: {good!r}")

    def outcomes(self):
        """One event for each call that a plugin was given, and no other."""
        wanted, seen = {}, {}
        for name, _, answer, _ in self.calls:
            if name not in self.lost and answer.status in RAN and (answer.json or {}).get("error_type") not in \
                    ("InvalidArguments",):
                wanted[name] = wanted.get(name, 0) + 1
        end = time.monotonic() + SETTLE
        while seen != wanted and time.monotonic() < end or not self.stage.events.queue.empty():
            try:
                item = self.stage.events.queue.get(timeout=0.1)
            except queue.Empty:
                continue
            if item is None:
                self.faults.append("the stream of events ended")
                return
            name = self.ended_call(item)
            if name:
                seen[name] = seen.get(name, 0) + 1
        if seen != wanted:
            self.faults.append(f"outcomes of calls: {seen}, wanted {wanted}")

    def ended_call(self, item):
        """The plugin whose call this event is the end of, where that counts here."""
        kind, event = item[0], item[1]
        if kind != "call":
            return None
        event = json.loads(event) if isinstance(event, str) else event
        apart = event["plugin"] in self.lost or event["plugin"] == "neighbour"
        return None if apart or event["error_type"] in ("Cancelled", "PluginUnavailable") \
            else event["plugin"]

    def seen_by_watcher(self):
        """Of the whole row, and of a moment after it that is long enough for some answers."""
        time.sleep(max(0, self.begun + WATCH - time.monotonic()))
        self.look()
        livez = max((seen["livez"] for seen in self.looks), key=lambda each: each["excess_ms"])
        peer = max(seen["peer_worst_ms"] for seen in self.looks)
        for seen in self.looks:
            self.faults += [f"the watcher: {words}" for words in seen["faults"][:5]]
        if not all(any(seen[kind]["count"] for seen in self.looks) for kind in ("livez", "calls")):
            self.faults.append("the watcher got no answer at all")
        if livez["excess_ms"] > self.row.livez.get(self.level, LIVEZ_MS):
            self.faults.append(f"/livez took {livez['worst_ms']:.0f} ms, {livez['excess_ms']:.0f} "
                               f"more than the machine explains")
        self.worst = livez["worst_ms"], livez["excess_ms"], peer

    def logs(self):
        """Bounded, UTF-8, nothing raw: the plugin's log and the host's own."""
        for name in self.row.plugins():
            answer = self.host.get(f"/v1/plugins/{name}/logs?tail=10000")
            if answer.status == 404:
                continue
            try:
                text = answer.body.decode("utf-8")
                lines = [line["text"] for line in json.loads(text)["lines"]]
            except (UnicodeDecodeError, ValueError) as e:
                self.faults.append(f"the log of {name}: {e}")
                continue
            if len(answer.body) > LOG_MAX:
                self.faults.append(f"the log of {name} has {len(answer.body)} bytes")
            for line in lines:
                if CONTROL.search(line) or "\n" in line:
                    self.faults.append(f"control bytes in the log of {name}: {line[:200]!r}")
                    break
        for line in self.host.lines:
            if line and (CONTROL.search(line) or "\ufffd" in line):
                self.faults.append(f"control bytes in the host's log: {line[:200]!r}")
                break
