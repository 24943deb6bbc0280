"""rude.py -- requests that are none, sent as bytes, and what must be true of the host whatever it got.

A .http file is a row of the corpus: `@ STATUS[,STATUS] ERROR_TYPE open|close: words` and then the
bytes of one request, until the next `@`. The ends of the file's lines mean nothing; what is meant is
written \\r \\n \\t \\0 \\xHH \\\\, `<<text*N>>` is N times the text, `<<host>>` and `<<port>>` are the
host's own, `<<length>>` is the number of bytes behind the head. ERROR_TYPE is `-` for a good answer
and `*` for any. `close`: the host must end the connection behind the answer; `open`: it must not, and
must answer the next request on it.
"""
import glob
import json
import os
import re
import select
import socket
import subprocess
import sys
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(FOLDER)))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from host import HostCase, PATIENCE, SLOW  # noqa: E402

LIVEZ_MS = 250  # where each processor has one program to run; as many times that as it has more
ESCAPE = re.compile(rb"\\(r|n|t|0|\\|x[0-9a-f]{2})")
PLAIN = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}
DIRECTIVE = re.compile(r"@ ([0-9,]+) (\S+) (open|close): (.*)")
BODY_MAX = "8M"


def unescape(text):
    return ESCAPE.sub(lambda m: PLAIN.get(m[1]) or bytes([int(m[1][1:], 16)]), text)


class Request:
    """One of a row: what is sent, and what must come back."""

    def __init__(self, statuses, error_type, end, words, text):
        self.statuses = [int(s) for s in statuses.split(",")]
        self.error_type, self.closes, self.words, self.text = error_type, end == "close", words, text

    def bytes(self, port):
        def fill(m):
            name = m[1]
            if name == b"host":
                return b"127.0.0.1:%d" % port
            if name == b"port":
                return b"%d" % port
            if name == b"length":
                return m[0]
            repeated, _, times = name.rpartition(b"*")
            return unescape(repeated) * int(times)

        data = b"".join(re.sub(rb"<<(.*?)>>|((?:[^<\\]|\\.|<(?!<))+)",
                               lambda m: fill(m) if m[1] is not None else unescape(m[2]), line)
                        for line in self.text.encode("latin-1").split(b"\n"))
        head, _, body = data.partition(b"\r\n\r\n")
        return head.replace(b"<<length>>", b"%d" % len(body)) + data[len(head):]


def rows():
    """(id, file name, requests), in the order of the ids."""
    found = []
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.http"))):
        requests, name = [], os.path.basename(path)[:-5]
        with open(path, encoding="latin-1") as f:
            for line in f:
                line = line.rstrip("\n")
                match = DIRECTIVE.fullmatch(line)
                if match:
                    requests.append(Request(*match.groups(), ""))
                elif line and line[0] != "#":
                    requests[-1].text += line + "\n"
        found.append((name.split("-")[0], name, requests))
    return found


class Reply:
    """status, headers (lower case), body; None in place of a status where nothing came."""

    def __init__(self, status=None, headers=None, body=b"", rest=b""):
        self.status, self.headers, self.body, self.rest = status, headers or {}, body, rest

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:300]!r}"

    @property
    def envelope(self):
        return json.loads(self.body)


class Client:
    """A socket to the host, in the hands of somebody rude."""

    def __init__(self, port, source=None, receive_buffer=None):
        self.s = socket.socket()
        if receive_buffer:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.s.bind((source, 0))
        self.s.settimeout(PATIENCE)
        self.s.connect(("127.0.0.1", port))
        self.port, self.got, self.ended = port, b"", False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def send(self, data):
        """All of it, or as much as is taken; what comes back meanwhile is kept."""
        self.s.setblocking(False)
        view = memoryview(data)
        end = time.monotonic() + PATIENCE
        while view and not self.ended and time.monotonic() < end:
            readable, writable, _ = select.select([self.s], [self.s], [], 1)
            if readable:
                self.more()
            elif writable:
                try:
                    view = view[self.s.send(view):]
                except BlockingIOError:
                    continue
                except OSError:
                    break
        self.s.settimeout(PATIENCE)
        return self

    def more(self):
        """Reads what there is; False at the end."""
        try:
            piece = self.s.recv(1 << 16)
        except ConnectionResetError:
            piece = b""
        self.got += piece
        self.ended = self.ended or not piece
        return bool(piece)

    def reply(self, ignore_interim=True):
        """The next whole answer."""
        while True:
            while b"\r\n\r\n" not in self.got:
                if not self.more():
                    return Reply(body=self.got)
            head, _, rest = self.got.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            status = int(lines[0].split()[1])
            headers = {k.lower(): v.strip() for k, _, v in (h.partition(":") for h in lines[1:])}
            self.got = rest
            if status != 100 or not ignore_interim:
                break
        size = int(headers.get("content-length", 0))
        while len(self.got) < size and self.more():
            pass
        body, self.got = self.got[:size], self.got[size:]
        return Reply(status, headers, body)

    def ends(self):
        """Does the host close it, with nothing more to say?"""
        while self.more():
            pass
        return self.got == b""

    def get(self, path="/livez"):
        return self.send(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"
                         % (path.encode(), self.port)).reply()


class RudeCase(HostCase):
    """A host with a few plugins, watched from another process: /livez answers within 250 ms of what
    the machine itself takes and a neighbour's calls are answered, whatever else goes on; afterwards
    the host has as many descriptors and as much memory as before."""

    args = ()
    token = None
    grows = 1 << 20

    def setUp(self):
        super().setUp()
        self.plugin("p", like="crashtest", limits={"queue": 64, "timeout_seconds": 30})
        self.plugin("a", like="answers")
        self.plugin("neighbour", like="crashtest")
        self.host = self.serve("--max-body", BODY_MAX, *self.args, wait=False)
        self.host.token = self.token
        self.host.wait_ready()
        self.watcher = None if self.token else self.start_watcher()
        self.descriptors, self.memory = self.settled(), self.host.rss_bytes()

    def start_watcher(self):
        script = os.path.join(ROOT, "tests", "hostile", "watcher.py")
        peer = subprocess.Popen([sys.executable, script, "--peer"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(peer.wait)
        self.addCleanup(peer.kill)
        watcher = subprocess.Popen([sys.executable, script, str(self.host.port),
                                    peer.stdout.readline().strip()], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(watcher.wait)
        self.addCleanup(watcher.kill)
        self.addCleanup(watcher.stdout.close)
        self.addCleanup(watcher.stdin.close)
        self.addCleanup(peer.stdout.close)
        return watcher

    def dismiss_watcher(self):
        """Where no connection is to be had but for what the test is about."""
        self.watcher.kill()
        self.watcher.wait()
        self.watcher = None
        self.descriptors -= 2
        self.wait_for(lambda: self.host.descriptors() == self.descriptors, "the watcher has gone")

    @staticmethod
    def wait_for(holds, words, patience=PATIENCE):
        """What nobody tells us of: the host's descriptors and memory."""
        end = time.monotonic() + patience
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"not so in time: {words}")
            select.select([], [], [], 0.05)

    def seen(self):
        self.watcher.stdin.write("mark\n")
        self.watcher.stdin.flush()
        return json.loads(self.watcher.stdout.readline())

    def settled(self):
        """The host's descriptors once the watcher's two connections are there and no other is: those
        of wait_ready end by themselves."""
        self.wait_for(lambda: self.connections() == (2 if self.watcher else 0),
                      "only the watcher is there")
        return self.host.descriptors()

    def connections(self):
        """The sockets that the host holds of its clients: those on its port that have an inode."""
        with open("/proc/net/tcp", encoding="ascii") as f:
            lines = [line.split() for line in f][1:]
        return sum(line[1].endswith(f":{self.host.port:04X}") and line[3] != "0A" and line[9] != "0"
                   for line in lines)

    def check_host(self):
        """Call it at the end of each test that is rude."""
        if self.watcher:
            seen = self.seen()
            self.assertEqual(seen["faults"], [])
            crowd = max(1, os.getloadavg()[0] / os.cpu_count())
            self.assertLess(seen["livez"]["excess_ms"], LIVEZ_MS * SLOW * crowd, seen)
        self.wait_for(lambda: self.host.descriptors() == self.descriptors,
                      f"{self.descriptors} descriptors, as before")
        self.assertTrue(self.host.alive())
        if SLOW == 1:  # a sanitizer keeps what was freed
            self.wait_for(lambda: self.host.rss_bytes() - self.memory < self.grows,
                          f"{self.memory} bytes of memory, as before, and {self.grows}")

    def client(self, **options):
        client = Client(self.host.port, **options)
        self.addCleanup(client.s.close)
        return client

    def check_reply(self, reply, statuses, error_type, words=""):
        self.assertIn(reply.status, statuses, f"{words}: {reply}")
        if error_type == "-":
            return
        self.assertEqual(reply.headers.get("content-type"), "application/json", f"{words}: {reply}")
        self.assertIs(reply.envelope["ok"], False, words)
        self.assertTrue(reply.envelope["error"], words)
        if error_type != "*":
            self.assertEqual(reply.envelope["error_type"], error_type, f"{words}: {reply}")
        if reply.status == 503:
            self.assertIn("retry-after", reply.headers, words)

