"""host.py -- a real `forgesyte serve` for end-to-end tests: start it, ask it, watch it, end it.

    class Example(HostCase):
        def test_echo(self):
            self.plugin("echo", like="crashtest")
            host = self.serve()
            self.assertEqual(host.run("echo", "echo", {"a": 1}).result, {"a": 1})

A test ends by SIGTERM, and then the host must have exited with 0, and no process that it had and no
cgroup that it made may be left. Nothing here sleeps to be lucky: what is waited for is an event, a
line or a descriptor.

FORGESYTE_BUILD is the build folder that is tested (default: build).
"""
import contextlib
import http.client
import json
import os
import queue
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("FORGESYTE_BUILD", "build"))
FORGESYTE = os.path.join(BUILD, "src", "cli", "forgesyte")
WORKER = os.path.join(BUILD, "src", "worker", "forgesyte-worker")
BUNDLED = os.path.join(BUILD, "plugins")
TEST_PLUGINS = os.path.join(BUILD, "tests", "plugins")
SAMPLES = os.path.join(ROOT, "plugins", "ocr", "samples")

SLOW = float(os.environ.get("FORGESYTE_TEST_SLOW", "1"))  # sanitized hosts: all patience times this
PATIENCE = 20 * SLOW  # seconds until an event that must come is given up
LISTENING = re.compile(r"listening on (http://([0-9.]+|\[[0-9a-f:]+\]):([0-9]+))")
NOBODY = 65534


def environment(**more):
    """Ours without what a developer has set for hosts of theirs."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FORGESYTE_")}
    return {**kept, "FORGESYTE_WORKER": WORKER, **more}


class Answer:
    """What came back: status, headers (lower-case names), the body as bytes and as JSON."""

    def __init__(self, status, headers, body, ms):
        self.status, self.headers, self.body, self.ms = status, headers, body, ms
        self.json = None
        if "json" in headers.get("content-type", "") and body:
            self.json = json.loads(body)

    def __repr__(self):
        return f"{self.status} {self.body[:600]!r} after {self.ms:.0f} ms"

    @property
    def ok(self):
        return self.json["ok"]

    @property
    def result(self):
        if not self.json.get("ok"):
            raise AssertionError(f"no result: {self!r}")
        return self.json["result"]

    @property
    def error(self):
        return self.json["error"]

    @property
    def error_type(self):
        return self.json["error_type"]


class Events:
    """A stream of server-sent events, read by a thread into a queue."""

    def __init__(self, host, path, headers=None):
        self.connection = host.connect(None)
        self.connection.request("GET", path, headers=headers or {})
        self.response = self.connection.getresponse()
        if self.response.status != 200:
            raise AssertionError(f"{path}: {self.response.status} {self.response.read()!r}")
        self.content_type = self.response.headers["content-type"]
        self.queue = queue.Queue()
        self.seen = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        event, data = "message", []
        try:
            for line in self.response:
                line = line.decode().rstrip("\r\n")
                field, _, value = line.partition(":")
                value = value[1:] if value.startswith(" ") else value
                if not line:
                    if data:
                        self.queue.put((event, "\n".join(data)))
                    event, data = "message", []
                elif field == "event":
                    event = value
                elif field == "data":
                    data.append(value)
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass
        self.queue.put(None)

    def next(self, patience=PATIENCE):
        """(event, data) with data parsed where it is JSON; None at the stream's end."""
        item = self.queue.get(timeout=patience)
        if item is None:
            return None
        event, data = item
        with contextlib.suppress(ValueError):
            data = json.loads(data)
        self.seen.append((event, data))
        return event, data

    def until(self, wanted, patience=PATIENCE):
        """The first event for which wanted(event, data) holds."""
        end = time.monotonic() + patience
        while True:
            try:
                item = self.next(max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"the event did not come; seen: {self.seen}") from None
            if item is None:
                raise AssertionError(f"the stream ended; seen: {self.seen}")
            if wanted(*item):
                return item

    def close(self):
        with contextlib.suppress(OSError, AttributeError):
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.connection.close()


class Host:
    """A running host. launcher: a command that becomes it by exec, what it is to run behind it.
    listen: None leaves the address to the configuration."""

    def __init__(self, plugin_dirs, args=(), env=None, as_nobody=False, listen="127.0.0.1:0",
                 launcher=()):
        command = [FORGESYTE, "serve", *(["--listen", listen] if listen else [])]
        for folder in plugin_dirs:
            command += ["--plugins", folder]
        command += list(args)
        if as_nobody:
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                       "--", *command]
        command = [*launcher, *command]
        self.command = command
        self.token = None
        self.lines = []
        self.line_came = threading.Condition()
        self.known = {}  # pid -> start time, of every process the host was seen to have
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        env=environment(**(env or {})),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        start_new_session=True)
        self.pid = self.process.pid
        threading.Thread(target=self._read_stderr, daemon=True).start()
        try:
            match = self.wait_line(LISTENING)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        self.url, self.address, self.port = match.group(1), match.group(2), int(match.group(3))

    # ---- its words -------------------------------------------------------------------------

    def _read_stderr(self):
        for line in self.process.stderr:
            with self.line_came:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self.line_came.notify_all()
        with self.line_came:
            self.lines.append(None)
            self.line_came.notify_all()

    def wait_line(self, pattern, patience=PATIENCE, since=0):
        """The match of the first stderr line that matches, of those after the first `since`."""
        pattern = re.compile(pattern)
        end, seen = time.monotonic() + patience, since
        with self.line_came:
            while True:
                for line in self.lines[seen:]:
                    if line is None:
                        raise AssertionError(f"the host ended: {self.stderr()}")
                    match = pattern.search(line)
                    if match:
                        return match
                seen = len(self.lines)
                if not self.line_came.wait(max(0, end - time.monotonic())):
                    raise AssertionError(f"no line matches {pattern.pattern}: {self.stderr()}")

    def stderr(self):
        return "\n".join(line for line in self.lines if line is not None)

    # ---- questions -------------------------------------------------------------------------

    def connect(self, timeout=PATIENCE):
        address = self.address.strip("[]")
        return http.client.HTTPConnection(address, self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None, timeout=4 * PATIENCE):
        headers = dict(headers or {})
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        connection = self.connect(timeout)
        start = time.monotonic()
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        ms = (time.monotonic() - start) * 1000
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, data, ms)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, value=None, **options):
        """POST with a JSON body; no body when value is None."""
        headers = options.pop("headers", {})
        body = None
        if value is not None:
            headers = {"Content-Type": "application/json", **headers}
            body = json.dumps(value)
        return self.request("POST", path, body=body, headers=headers, **options)

    def run(self, plugin, tool, args=None, **options):
        return self.post(f"/v1/plugins/{plugin}/tools/{tool}/run",
                         {} if args is None else args, **options)

    def raw(self, data, patience=PATIENCE):
        """Bytes to the port, and what came back until the host closed."""
        with socket.create_connection((self.address.strip("[]"), self.port), patience) as s:
            s.sendall(data)
            chunks = []
            with contextlib.suppress(ConnectionResetError):
                while chunk := s.recv(65536):
                    chunks.append(chunk)
        return b"".join(chunks)

    def begin(self, plugin, tool, args=None):
        """A call in a thread of its own; .join() gives its Answer."""
        return Pending(self, plugin, tool, args)

    def health(self, name):
        answer = self.get(f"/v1/plugins/{name}/health")
        if answer.status != 200:
            raise AssertionError(f"health of {name}: {answer!r}")
        return answer.json

    def state(self, name):
        return self.health(name)["state"]

    def events(self, path="/v1/events", headers=None):
        if self.token:
            headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        return Events(self, path, headers)

    def wait_health(self, name, wanted, patience=PATIENCE):
        """The plugin's health once wanted(health) holds; looked at anew with each event."""
        end = time.monotonic() + patience
        events = self.events()
        try:
            while True:
                answer = self.get(f"/v1/plugins/{name}/health")
                if answer.status == 200 and wanted(answer.json):
                    return answer.json
                if time.monotonic() > end:
                    raise AssertionError(f"{name} stays as it is: {answer!r}\n{self.stderr()}")
                with contextlib.suppress(queue.Empty):
                    if events.next(min(1.0, max(0.01, end - time.monotonic()))) is None:
                        raise AssertionError("the event stream ended")
        finally:
            events.close()

    def wait_state(self, name, *states, patience=PATIENCE):
        return self.wait_health(name, lambda health: health["state"] in states, patience)

    def wait_loaded(self, *names):
        """Until none of these is being loaded any more."""
        for name in names:
            self.wait_state(name, "INITIALIZED", "RUNNING", "FAILED", "UNAVAILABLE")
        return self

    def wait_ready(self, patience=PATIENCE):
        """Until no plugin at all is being loaded."""
        events = self.events()
        end = time.monotonic() + patience
        try:
            while self.get("/readyz").status != 200:
                if time.monotonic() > end:
                    raise AssertionError(f"not ready: {self.get('/readyz?verbose')!r}")
                with contextlib.suppress(queue.Empty):
                    events.next(min(0.5, patience))
        finally:
            events.close()
        return self

    # ---- what it has -----------------------------------------------------------------------

    def children(self):
        """pid -> start time, of every process below the host."""
        found = processes_below(self.pid)
        self.known.update(found)
        return found

    def rss_bytes(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    # ---- its end ---------------------------------------------------------------------------

    def alive(self):
        return self.process.poll() is None

    def stop(self, how=signal.SIGTERM, patience=PATIENCE):
        """The exit status, after a signal."""
        if self.alive():
            self.children()
            self.process.send_signal(how)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the host did not end:\n{self.stderr()}") from None

    def leftovers(self, patience=5 * SLOW):
        """Processes that it had and that still are: given a moment, for the kernel's teardown.
        Waits on their pidfds."""
        end = time.monotonic() + patience
        left = {}
        for pid, start in self.known.items():
            if start_time(pid) == start and not gone_within(pid, end - time.monotonic()) \
                    and start_time(pid) == start:
                left[pid] = command_line(pid)
        return left

    def cgroups(self):
        """The cgroup folders that carry its pid in their name or path."""
        found = []
        for folder, names, _ in os.walk("/sys/fs/cgroup"):
            found += [os.path.join(folder, name) for name in names
                      if re.search(rf"forgesyte[-.]{self.pid}\b", name)]
        return found


class Pending:
    """A request under way."""

    def __init__(self, host, plugin, tool, args):
        self.answer, self.fault = None, None
        self.thread = threading.Thread(target=self._run, args=(host, plugin, tool, args))
        self.thread.daemon = True
        self.thread.start()

    def _run(self, host, plugin, tool, args):
        try:
            self.answer = host.run(plugin, tool, args)
        except Exception as fault:  # handed to whoever joins
            self.fault = fault

    def join(self, patience=3 * PATIENCE):
        self.thread.join(patience)
        if self.thread.is_alive():
            raise AssertionError("the call did not end")
        if self.fault:
            raise self.fault
        return self.answer


# ---- /proc -------------------------------------------------------------------------------------

def stat_fields(pid):
    """The fields of /proc/PID/stat behind the name, or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def start_time(pid):
    """When it started; None when there is no such process or only its zombie."""
    fields = stat_fields(pid)
    return None if not fields or fields[0] in "ZX" else fields[19]


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def processes_below(pid):
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_fields(name)
            if fields:
                parents.setdefault(int(fields[1]), []).append(int(name))
    found, todo = {}, [pid]
    while todo:
        for child in parents.get(todo.pop(), ()):
            start = start_time(child)
            if start:
                found[child] = start
            todo.append(child)
    return found


def gone_within(pid, seconds):
    """Waits for the end of a process that is not ours."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], max(0, seconds))[0])
    finally:
        os.close(fd)


# ---- test cases --------------------------------------------------------------------------------

def merged(base, changes):
    """base with changes; an object in both is merged, None removes."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


class HostCase(unittest.TestCase):
    """Plugins in a folder of the test's own, hosts that are ended and looked after."""

    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="forgesyte-test-")
        os.chmod(self.folder, 0o755)  # hosts and workers of other users look in too
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.plugins = os.path.join(self.folder, "plugins")
        os.mkdir(self.plugins)
        os.chmod(self.plugins, 0o755)

    def plugin(self, name, like="crashtest", so=None, files=(), manifest_text=None, folder=None,
               **manifest):
        """A plugin folder. like: the plugin whose manifest and shared object it has, changed by
        `manifest` (None removes a key). so: another object from tests/plugins. files: (path, bytes).
        folder: its name, where that is not the plugin's. Returns its path."""
        folder = os.path.join(self.plugins, folder or name)
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        base, objects = self._template(like)
        base = merged(base, {"name": name, **manifest})
        source = os.path.join(TEST_PLUGINS, so + ".so") if so else objects
        if source and os.path.exists(source):
            shutil.copy(source, os.path.join(folder, base["entrypoint"]))
        for path, data in files:
            path = os.path.join(folder, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(data)
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as f:
            f.write(json.dumps(base, indent=1) if manifest_text is None else manifest_text)
        return folder

    @staticmethod
    def _template(like):
        if like in ("stages", "misfit"):
            return {"version": "1.0.0", "entrypoint": "plugin.so", "tools": [{"name": "ping"}]}, \
                os.path.join(TEST_PLUGINS, "stages.so")
        if like in ("answers", "videotracker"):
            manifest = os.path.join(ROOT, "tests", "plugins",
                                    "answers.json" if like == "answers"
                                    else "videotracker/manifest.json")
            shared = os.path.join(TEST_PLUGINS, like + ".so")
        else:
            manifest = os.path.join(ROOT, "plugins", like, "manifest.json")
            shared = os.path.join(BUNDLED, like, like + ".so")
        with open(manifest, encoding="utf-8") as f:
            return json.load(f), shared

    def serve(self, *args, plugins=None, env=None, as_nobody=False, wait=True, checked=True):
        """A host over this test's plugins. wait: until all are loaded. checked: it must end well."""
        host = Host([self.plugins] if plugins is None else plugins, args, env, as_nobody)
        self.addCleanup(self._end, host, checked)
        if wait:
            host.wait_ready()
        return host

    def _end(self, host, checked):
        status = host.stop()
        if checked:
            self.assertEqual(status, 0, f"the host's exit status; it said:\n{host.stderr()}")
        self.assertEqual(host.leftovers(), {}, "processes left behind")
        if checked:
            self.assertEqual(host.cgroups(), [], "cgroups left behind")

    def assert_error(self, answer, status, error_type, words=""):
        """An answer of the error table: status, type, and words that are in its text."""
        self.assertEqual((answer.status, answer.json and answer.json.get("error_type")),
                         (status, error_type), repr(answer))
        self.assertIs(answer.json["ok"], False)
        self.assertIsInstance(answer.error, str)
        self.assertIn(words, answer.error)
        self.assertEqual(answer.headers["content-type"].split(";")[0], "application/json")


def need_root(test):
    return unittest.skipUnless(os.geteuid() == 0, "needs root")(test)


def others_may_read(path):
    """May every user get at this file?"""
    path = os.path.realpath(path)
    while True:
        mode = os.stat(path).st_mode
        if not mode & (0o001 if os.path.isdir(path) else 0o004):
            return False
        if path == "/":
            return True
        path = os.path.dirname(path)


def need_nobody(test):
    """Tests that run the host as an ordinary user."""
    able = os.geteuid() == 0 and shutil.which("setpriv") and others_may_read(ROOT)
    return unittest.skipUnless(able, "needs root, setpriv and a tree that others may read, to run "
                                     "the host as an ordinary user")(test)
