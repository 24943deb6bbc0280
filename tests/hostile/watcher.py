"""watcher.py -- a process that watches the host from outside while others misbehave.

    watcher.py HOST_PORT PEER_PORT      asks /livez and the peer, and calls the neighbour 20 times a second
    watcher.py --peer                   the peer: answers bytes, prints its port

The peer does nothing but answer, in a cgroup beside the host's. What it takes is what this machine
takes at the moment, and what the watcher's own threads come late is their own fault: an answer counts
as late by what is more than both. One line in (`mark`), one line out: JSON of what was seen since.
"""
import contextlib
import http.client
import json
import socket
import sys
import threading
import time

LIVEZ_EVERY = 0.025
CALL_EVERY = 0.05
PATIENCE = 10
KEEP = 4000  # of the peer's answers, to compare with


class Seen:
    """What happened since the last mark. Times are ms."""

    def __init__(self):
        self.lock = threading.Lock()
        self.peer = []  # (begin, end, ms)
        self.reset()

    def reset(self):
        self.livez, self.calls, self.faults = [], [], []

    def add(self, kind, begin, late_ms):
        end = time.monotonic()
        with self.lock:
            entry = (begin, end, (end - begin) * 1000, late_ms)
            if kind == "peer":
                self.peer = self.peer[-KEEP:] + [entry]
            else:
                getattr(self, kind).append(entry)

    def fault(self, words):
        with self.lock:
            self.faults.append(words)

    def excused(self, entry):
        """What of its time was the machine's and the watcher's."""
        begin, end, _, late = entry
        peers = [p[2] for p in self.peer if p[1] >= begin - 0.1 and p[0] <= end + 0.1]
        return max([late, *peers])

    def summary(self, kind):
        entries = getattr(self, kind)
        if not entries:
            return {"count": 0, "worst_ms": 0, "excess_ms": 0, "p99_ms": 0}
        times = sorted(entry[2] for entry in entries)
        worst = max(entries, key=lambda entry: entry[2] - self.excused(entry))
        return {"count": len(entries), "worst_ms": times[-1], "p99_ms": times[len(times) * 99 // 100],
                "excess_ms": max(0, worst[2] - self.excused(worst))}

    def mark(self):
        with self.lock:
            peers = sorted(p[2] for p in self.peer[-400:]) or [0]
            result = {"livez": self.summary("livez"), "calls": self.summary("calls"),
                      "peer_p99_ms": peers[len(peers) * 99 // 100], "peer_worst_ms": peers[-1],
                      "faults": self.faults}
            self.reset()
            return result


def steadily(every, act):
    """act(late_ms) at each tick, for ever; a tick that is missed is not made up for."""
    due = time.monotonic()
    while True:
        due = max(due + every, time.monotonic() - every)
        time.sleep(max(0, due - time.monotonic()))
        act(max(0, time.monotonic() - due) * 1000)


def ask_livez(port, seen):
    state = {}

    def act(late):
        begin = time.monotonic()
        try:
            connection = state.get("c") or http.client.HTTPConnection("127.0.0.1", port,
                                                                      timeout=PATIENCE)
            state["c"] = connection
            connection.request("GET", "/livez")
            response = connection.getresponse()
            body = response.read()
            if response.status != 200 or json.loads(body) != {"status": "alive"}:
                seen.fault(f"/livez: {response.status} {body!r}")
        except (OSError, http.client.HTTPException) as e:
            state.pop("c").close()
            seen.fault(f"/livez: {e!r}")
            return
        seen.add("livez", begin, late)
    steadily(LIVEZ_EVERY, act)


def ask_peer(port, seen):
    s = socket.create_connection(("127.0.0.1", port))

    def act(late):
        begin = time.monotonic()
        s.sendall(b"?")
        s.recv(1)
        seen.add("peer", begin, late)
    steadily(LIVEZ_EVERY, act)


def call_neighbour(port, seen):
    """Each call has its number, so that an answer that is lost, late or another's shows."""
    state = {"n": 0}

    def act(late):
        state["n"] += 1
        begin = time.monotonic()
        try:
            connection = state.get("c") or http.client.HTTPConnection("127.0.0.1", port,
                                                                      timeout=PATIENCE)
            state["c"] = connection
            connection.request("POST", "/v1/plugins/neighbour/tools/echo/run",
                               json.dumps({"n": state["n"]}), {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = response.read()
            if response.status != 200 or json.loads(body)["result"] != {"n": state["n"]}:
                seen.fault(f"neighbour, call {state['n']}: {response.status} {body[:300]!r}")
        except (OSError, ValueError, http.client.HTTPException) as e:
            state.pop("c").close()
            seen.fault(f"neighbour, call {state['n']}: {e!r}")
            return
        seen.add("calls", begin, late)
    steadily(CALL_EVERY, act)


def be_peer():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        s, _ = listener.accept()
        with contextlib.suppress(ConnectionError):  # the watcher was ended
            while data := s.recv(64):
                s.sendall(data)


def main():
    if sys.argv[1] == "--peer":
        be_peer()
        return
    port, peer = int(sys.argv[1]), int(sys.argv[2])
    seen = Seen()
    sys.setswitchinterval(0.001)
    for work, to in ((ask_livez, port), (ask_peer, peer), (call_neighbour, port)):
        threading.Thread(target=work, args=(to, seen), daemon=True).start()
    for _ in sys.stdin:
        print(json.dumps(seen.mark()), flush=True)


main()
