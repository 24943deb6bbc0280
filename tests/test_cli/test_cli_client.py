"""test_cli_client.py -- the program against a host that gives canned answers.

$FORGESYTE is the program. Exit codes, tables, JSON as it came, words on stderr, colour, a pipe that
closes: what scripts and people rely on.
"""
import http.server
import json
import os
import pty
import subprocess
import tempfile
import threading
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INCLUDE = os.path.join(ROOT, "include")
PROGRAM = os.environ.get("FORGESYTE", "forgesyte")

OCR = {"name": "ocr", "state": "INITIALIZED", "reason": None, "version": "1.0.0",
       "description": "Reads text", "uptime_seconds": 3700.5, "last_used": "2026-11-22T09:41:00.123Z",
       "success_count": 12, "error_count": 1, "last_execution_time_ms": 12.5,
       "avg_execution_time_ms": 13.25, "generation": 2, "in_flight": 0, "queue_depth": 0,
       "instances": [{"pid": 4711, "rss_bytes": 20971520, "peak_rss_bytes": 31457280, "calls": 13}],
       "limits": {"timeout_seconds": 60, "memory_bytes": 1073741824},
       "isolation": {"level": "full", "reasons": [], "namespaces": ["user", "pid"], "seccomp": True,
                     "landlock_abi": 3, "memory": "cgroup2", "pids": True, "uid": 65534},
       "last_failure": None}
BAD = {"name": "bad", "state": "FAILED", "reason": "it died:\nsignal 11 \x1b[31m", "version": None,
       "success_count": 0, "error_count": 1, "generation": 1,
       "last_failure": {"at": "2026-11-22T09:41:00.123Z", "error_type": "PluginCrashed",
                        "error": "signal 11", "signal": 11, "stderr_tail": "oh\nno\x07"}}
TWICE = {**BAD, "name": "twice",
         "reason": "it died. In x.py line 3\nLast stderr: SIGSEGV\n  x.py, line 3 in run",
         "last_failure": {**BAD["last_failure"], "stderr_tail": "SIGSEGV\n  x.py, line 3 in run",
                          "error": "it died. In x.py line 3\nLast stderr: SIGSEGV\n"
                                   "  x.py, line 3 in run"}}


def envelope(status, error_type, words="words", **more):
    return status, {"ok": False, "error": words, "error_type": error_type, **more}


ANSWERS = {
    ("GET", "/v1/plugins"): (200, {"plugins": [BAD, OCR], "total": 2, "available": 1, "failed": 1,
                                   "unavailable": 0}),
    ("GET", "/v1/plugins/ocr/health"): (200, OCR),
    ("GET", "/v1/plugins/bad/health"): (200, BAD),
    ("GET", "/v1/plugins/mended/health"): (200, {**OCR, "name": "mended",
                                                 "last_failure": BAD["last_failure"]}),
    ("GET", "/v1/plugins/twice/health"): (200, TWICE),
    ("GET", "/v1/plugins/none/health"): envelope(404, "PluginNotFound", "no plugin none; ocr, bad"),
    ("POST", "/v1/plugins/ocr/reload"): (200, OCR),
    ("POST", "/v1/plugins/bad/reload"): (200, BAD),
    ("POST", "/v1/plugins/reload-all"): (200, {"plugins": [OCR, BAD]}),
    ("GET", "/v1/plugins/ocr/logs?tail=200"): (200, {"name": "ocr", "lines": [
        {"number": 1, "at": "2026-11-22T09:41:00.123Z", "stream": "stdout", "text": "hello"},
        {"number": 2, "at": "2026-11-22T09:41:01.000Z", "stream": "stderr", "text": "a\x1b[2Jb"}]}),
}
# What the tools of "ocr" end with: tool -> answer. A text goes out as it is.
TOOLS = {
    "good": (200, '{"ok":true,"result":{"pi":3.10,"big":1E400,"text":"\\u00e4"},'
                  '"execution_time_ms":1}'),
    "bytes": (200, {"ok": True, "result": {"content_type": "image/png", "base64": "iVBORw0K"}}),
    "members": (200, '{"ok":true,"result":{"n":1.0,"mask":{"content_type":"image/png",'
                     '"base64":"AAEC"}}}'),
    "raised": envelope(502, "ValueError", "boom", traceback="Traceback:\n  x\x1b[31m\nValueError"),
    "crashed": envelope(502, "PluginCrashed"),
    "unavailable": envelope(503, "PluginUnavailable"),
    "slow": envelope(504, "TimeoutError", "took longer than 60 s"),
    "arguments": envelope(422, "InvalidArguments", "/lang: must be a string"),
    "declared": envelope(422, "BadImage"),
    "busy": envelope(429, "PluginBusy"),
    "internal": envelope(500, "InternalError"),
    "html": (200, "<html>not us</html>"),
    "lying": (200, '{"ok":"yes"}'),
    "empty": (200, ""),
}


class FakeHost(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen = []

    def log_message(self, *_):
        pass

    def reply(self, status, body):
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append((self.command, self.path, dict(self.headers), body))
        if self.path == "/v1/plugins/ocr/logs?tail=200&follow=1":
            return self.follow()
        tool = self.path.removeprefix("/v1/plugins/ocr/tools/").removesuffix("/run")
        found = TOOLS.get(tool) or ANSWERS.get((self.command, self.path))
        return self.reply(*(found or envelope(404, "NotFound", f"no route {self.path}")))

    do_GET = do_POST = answer

    def follow(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for n in range(3):
            line = {"number": n, "at": "2026-11-22T09:41:00.123Z", "stream": "log", "text": f"line {n}"}
            event = f": beat\nevent: line\ndata: {json.dumps(line)}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


class CliClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Quiet(("127.0.0.1", 0), FakeHost)
        cls.url = f"http://127.0.0.1:{cls.server.server_address[1]}"
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def setUp(self):
        FakeHost.seen.clear()
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def environment(self, **more):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FORGESYTE_")}
        return {**kept, "FORGESYTE_URL": self.url, "TERM": "xterm", **more}

    def run_cli(self, *args, stdin=b"", env=(), **more):
        done = subprocess.run([PROGRAM, *args], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=self.environment(**dict(env)),
                              cwd=self.folder.name, timeout=60, check=False, **more)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def on_terminal(self, *args, **env):
        """Standard output is a terminal: what it shows."""
        ours, theirs = pty.openpty()
        done = subprocess.run([PROGRAM, *args], stdout=theirs, stderr=subprocess.PIPE,
                              env=self.environment(**env), timeout=60, check=False)
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
        except OSError:  # the other end is closed
            pass
        os.close(ours)
        self.assertEqual(done.stderr, b"")
        return shown.decode().replace("\r\n", "\n")

    # ---- list, status, reload, logs ----

    def test_list_is_a_table_with_reasons_on_one_line(self):
        code, out, err = self.run_cli("list")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out.splitlines(), [
            "NAME  STATE        VERSION  OK  ERRORS  AVG MS  LAST USED                 REASON",
            "bad   FAILED       -        0   1       -       -"
            "                         it died: signal 11 \\x1b[31m",
            "ocr   INITIALIZED  1.0.0    12  1       13      2026-11-22T09:41:00.123Z"])

    def test_json_is_the_hosts_own(self):
        code, out, err = self.run_cli("list", "--format", "json")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out, json.dumps(ANSWERS["GET", "/v1/plugins"][1]) + "\n")

    def test_status_says_all_there_is(self):
        code, out, err = self.run_cli("status", "ocr")
        self.assertEqual((code, err), (0, ""))
        for words in ("state        INITIALIZED", "generation   2", "up           1 h 1 min",
                      "12 ok, 1 failed, 0 running, 0 waiting", "60 s, 1024 MiB",
                      "pid 4711: 20.0 MiB, 30.0 MiB at most, 13 calls",
                      "full; namespaces user, pid; seccomp; Landlock 3; memory by cgroup2"):
            self.assertIn(words, out)

    def test_status_of_a_failed_plugin_is_3_and_shows_its_last_words(self):
        code, out, _ = self.run_cli("status", "bad")
        self.assertEqual(code, 3)
        self.assertIn("  reason       it died:\n               signal 11 \\x1b[31m\n", out)
        self.assertTrue(out.endswith("Z, PluginCrashed\n               | oh\n"
                                     "               | no\\x07\n"), out)
        self.assertNotIn("\x1b", out)
        self.assertEqual(self.run_cli("status", "bad", "--format=json")[0], 3)

    def test_status_says_a_failure_that_is_over_in_full(self):
        code, out, _ = self.run_cli("status", "mended")
        self.assertEqual(code, 0)
        self.assertIn("Z, PluginCrashed: signal 11\n               | oh\n               | no", out)

    def test_status_says_nothing_twice(self):
        _, out, _ = self.run_cli("status", "twice")
        self.assertIn("  reason       it died. In x.py line 3\n  generation", out)
        for words in ("it died", "SIGSEGV", "in run"):
            self.assertEqual(out.count(words), 1, out)

    def test_an_unknown_plugin_is_1_with_the_hosts_words(self):
        code, out, err = self.run_cli("status", "none")
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(err, "forgesyte status: PluginNotFound: no plugin none; ocr, bad\n")

    def test_reload_one_or_all(self):
        self.assertEqual(self.run_cli("reload", "ocr")[0], 0)
        self.assertEqual(self.run_cli("reload", "bad")[0], 3)
        code, out, _ = self.run_cli("reload", "--all")
        self.assertEqual(code, 3)
        self.assertIn("ocr   INITIALIZED", out)
        for wrong in ((), ("ocr", "--all"), ("ocr", "bad")):
            self.assertEqual(self.run_cli("reload", *wrong)[0], 2)

    def test_logs_cannot_drive_the_terminal(self):
        code, out, _ = self.run_cli("logs", "ocr")
        self.assertEqual(code, 0)
        self.assertEqual(out, "09:41:00.123 stdout hello\n09:41:01.000 stderr a\\x1b[2Jb\n")

    def test_logs_asks_for_as_many_lines_as_wanted(self):
        self.run_cli("logs", "ocr", "-n", "5")
        self.assertEqual(FakeHost.seen[-1][1], "/v1/plugins/ocr/logs?tail=5")
        self.assertEqual(self.run_cli("logs", "ocr", "--tail", "-1")[0], 2)

    def test_logs_follow_until_the_end(self):
        code, out, err = self.run_cli("logs", "-f", "ocr")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out, "".join(f"09:41:00.123 log line {n}\n" for n in range(3)))
        code, out, _ = self.run_cli("logs", "-f", "ocr", "--format", "json")
        self.assertEqual([json.loads(line)["number"] for line in out.splitlines()], [0, 1, 2])

    # ---- call ----

    def call(self, tool, *args, **more):
        return self.run_cli("call", "ocr", tool, *args, **more)

    def test_a_result_comes_out_digit_for_digit(self):
        TOOLS["exact"] = (200, '{"ok":true,"result":{"pi":3.10,"text":"\\u00e4"}}')
        self.assertEqual(self.call("exact"), (0, '{"pi":3.10,"text":"\\u00e4"}\n', ""))
        code, out, _ = self.call("exact", "--format", "json")
        self.assertEqual((code, out), (0, TOOLS["exact"][1] + "\n"))

    def test_exit_codes_tell_who_is_to_blame(self):
        for tool, want in (("raised", 3), ("crashed", 3), ("unavailable", 3), ("slow", 4),
                           ("arguments", 5), ("declared", 5), ("busy", 1), ("internal", 1),
                           ("html", 1), ("lying", 1), ("empty", 1), ("nosuch", 1)):
            with self.subTest(tool):
                code, out, err = self.call(tool)
                self.assertEqual((code, out), (want, ""))
                self.assertTrue(err.startswith("forgesyte call: "), err)

    def test_words_and_traceback_go_to_stderr(self):
        self.assertEqual(self.call("arguments")[2],
                         "forgesyte call: InvalidArguments: /lang: must be a string\n")
        self.assertEqual(self.call("raised")[2], "forgesyte call: ValueError: boom\n"
                         "Traceback:\n  x\\x1b[31m\nValueError\n")
        code, out, _ = self.call("slow", "--format=json")
        self.assertEqual((code, json.loads(out)["error_type"]), (4, "TimeoutError"))

    def test_arguments_arrive(self):
        self.call("good", "--json", '{"a": 1.50}')
        self.assertEqual(FakeHost.seen[-1][3], b'{"a": 1.50}')
        self.assertEqual(FakeHost.seen[-1][2]["Content-Type"], "application/json")
        self.call("good", "image=@-", "lang=eng", stdin=b"\x89PNG\0")
        _, path, headers, body = FakeHost.seen[-1]
        self.assertEqual(path, "/v1/plugins/ocr/tools/good/run")
        boundary = headers["Content-Type"].removeprefix("multipart/form-data; boundary=").encode()
        self.assertEqual(body.split(b"--" + boundary), [
            b"",
            b'\r\nContent-Disposition: form-data; name="image"; filename="stdin"\r\n'
            b"Content-Type: application/octet-stream\r\n\r\n\x89PNG\0\r\n",
            b'\r\nContent-Disposition: form-data; name="lang"\r\n\r\neng\r\n', b"--\r\n"])

    def test_bytes_can_be_saved(self):
        code, out, err = self.call("bytes", "-o", "out.png")
        self.assertEqual((code, out, err), (0, "", ""))
        with open(os.path.join(self.folder.name, "out.png"), "rb") as f:
            self.assertEqual(f.read(), b"\x89PNG\r\n")
        code, out, _ = self.call("members", "--save", "mask=mask.png")
        self.assertEqual((code, out), (0, '{"n":1.0,"mask":{"content_type":"image/png",'
                                          '"file":"mask.png"}}\n'))
        with open(os.path.join(self.folder.name, "mask.png"), "rb") as f:
            self.assertEqual(f.read(), b"\0\1\2")
        code, _, err = self.call("members", "-o", "x")
        self.assertEqual(code, 1)
        self.assertIn("the result is not bytes; --save MEMBER=FILE can write: mask", err)

    def test_usage_errors_are_2_and_ask_nobody(self):
        for args in (("call",), ("call", "ocr"), ("call", "OCR!", "x"), ("call", "ocr", "a/b"),
                     ("call", "ocr", "good", "nokey"), ("call", "ocr", "good", "--jsn", "{}"),
                     ("call", "ocr", "good", "--json", "[]"), ("call", "ocr", "good", "a=@/nowhere"),
                     ("list", "x"), ("status",), ("status", "../x"), ("logs", "x/y"), ("nonsense",), (),
                     ("list", "--format", "xml"), ("new", "x"), ("new", "x", "--python", "--native"),
                     ("new", "X Y", "--native"), ("new", "X Y", "--python"), ("help", "nonsense"), ("list", "--url", "https://h")):
            with self.subTest(args):
                code, out, err = self.run_cli(*args)
                self.assertEqual((code, out), (2, ""))
                self.assertNotEqual(err, "")
        self.assertEqual(FakeHost.seen, [])

    # ---- the host, the token, the terminal, the pipe ----

    def test_no_host_says_how_to_start_one(self):
        code, _, err = self.run_cli("list", "--url", "http://127.0.0.1:1")
        self.assertEqual(code, 1)
        self.assertEqual(err, "forgesyte list: no host answers at http://127.0.0.1:1; "
                              "start one with: forgesyte serve\n")

    def test_the_token_goes_along(self):
        path = os.path.join(self.folder.name, "token")
        with open(path, "w", encoding="ascii") as f:
            f.write("a-secret-of-some-length\n")
        self.run_cli("list", env={"FORGESYTE_TOKEN_FILE": path})
        self.assertEqual(FakeHost.seen[-1][2]["Authorization"], "Bearer a-secret-of-some-length")
        self.run_cli("list", "--token-file", "token")
        self.assertEqual(FakeHost.seen[-1][2]["Authorization"], "Bearer a-secret-of-some-length")
        self.assertEqual(self.run_cli("list", "--token-file", "nowhere")[0], 78)

    def test_a_bad_variable_is_78(self):
        code, _, err = self.run_cli("list", env={"FORGESYTE_URL": "nonsense"})
        self.assertEqual(code, 78)
        self.assertIn("FORGESYTE_URL: ", err)

    def test_colour_is_for_terminals_that_want_it(self):
        self.assertNotIn("\x1b", self.run_cli("list")[1])
        self.assertIn("\x1b[31mFAILED\x1b[0m", self.on_terminal("list"))
        self.assertNotIn("\x1b", self.on_terminal("list", NO_COLOR="1"))
        self.assertNotIn("\x1b", self.on_terminal("list", TERM="dumb"))
        self.assertIn("state        \x1b[32mINITIALIZED\x1b[0m", self.on_terminal("status", "ocr"))

    def test_results_are_laid_out_for_a_terminal(self):
        TOOLS["c1"] = (200, '{"ok":true,"result":{"a":[1,{}],"b":"\u009b31m"}}')
        self.assertEqual(self.on_terminal("call", "ocr", "c1"),
                         '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": "\\x9b31m"\n}\n')

    def test_output_that_cannot_be_written_is_1(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM, "list"], stdout=full, stderr=subprocess.PIPE,
                                  env=self.environment(), timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, b"forgesyte: write to stdout: No space left on device\n")
        for args in (("list",), ("logs", "-f", "ocr")):
            ours, theirs = os.pipe()
            os.close(ours)
            done = subprocess.run([PROGRAM, *args], stdout=theirs, stderr=subprocess.PIPE,
                                  env=self.environment(), timeout=60, check=False)
            os.close(theirs)
            self.assertEqual((done.returncode, done.stderr), (1, b""))

    def test_closed_streams_do_no_harm(self):
        done = subprocess.run(["sh", "-c", '"$0" list <&- >&- 2>&-', PROGRAM], timeout=60,
                              env=self.environment(), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(FakeHost.seen), 1)

    # ---- new, help, version ----

    def test_help_knows_every_command(self):
        code, out, _ = self.run_cli("help")
        self.assertEqual(code, 0)
        names = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
        self.assertIn("serve", names)
        for name in names:
            by_help = self.run_cli("help", name)
            self.assertEqual(by_help[0], 0)
            self.assertEqual(by_help, self.run_cli(name, "--help"))
        code, _, err = self.run_cli("stauts")
        self.assertEqual(code, 2)
        self.assertIn("did you mean status", err)

    def test_version_is_a_result(self):
        self.assertRegex(self.run_cli("version")[1], r"^forgesyte \d+\.\d+\.\d+\n$")

    def test_new_writes_a_plugin_and_spares_what_is_there(self):
        code, out, _ = self.run_cli("new", "my-plugin", "--native")
        self.assertEqual((code, out), (0, "my-plugin\n"))
        code, out, err = self.run_cli("new", "my-plugin", "--native")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("File exists", err)

    def test_a_new_plugin_builds_and_bears_its_name(self):
        self.run_cli("new", "my-plugin", "--native")
        folder = os.path.join(self.folder.name, "my-plugin")
        self.assertEqual(sorted(os.listdir(folder)),
                         ["Makefile", "README.md", "manifest.json", "plugin.c", "test.sh"])
        self.assertTrue(os.access(os.path.join(folder, "test.sh"), os.X_OK))
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                self.assertNotIn("@NAME@", f.read())
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as f:
            self.assertEqual(json.load(f)["name"], "my-plugin")
        subprocess.run(["make", "-s", "-C", folder, f"FORGESYTE_INCLUDE={INCLUDE}",
                        "CFLAGS=-Wall -Wextra -Werror"], check=True, timeout=60)
        self.assertTrue(os.path.exists(os.path.join(folder, "my-plugin.so")))


if __name__ == "__main__":
    unittest.main()
