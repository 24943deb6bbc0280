"""test_api_routes.py -- one envelope everywhere; methods, unknown routes, who may ask."""
import json
import os
import unittest

from host import FORGESYTE, Host, HostCase, environment, SLOW


class Routes(HostCase):
    def setUp(self):
        super().setUp()
        self.plugin("p", like="crashtest")
        self.host = self.serve()

    def test_unknown_routes_answer_the_envelope(self):
        for path in ("/v1/nothing", "/v2/plugins", "/v1/plugins/p/nothing", "/favicon.ico",
                     "/v1/plugins/p/tools", "/v1/plugins//health", "/v1/plugins/p/tools/echo/ran"):
            answer = self.host.get(path)
            self.assertEqual(answer.status, 404, path)
            self.assertIs(answer.json["ok"], False)
            self.assertIn(answer.error_type, ("NotFound", "PluginNotFound", "ToolNotFound"))

    def test_a_wrong_method_names_the_right_ones(self):
        for method, path, allowed in (("POST", "/v1/plugins", "GET"),
                                      ("DELETE", "/v1/plugins/p/health", "GET"),
                                      ("PUT", "/v1/plugins/p/reload", "POST"),
                                      ("GET", "/v1/plugins/p/tools/echo/run", "POST"),
                                      ("GET", "/v1/plugins/reload-all", "POST")):
            answer = self.host.request(method, path)
            self.assert_error(answer, 405, "MethodNotAllowed")
            self.assertIn(allowed, answer.headers["allow"], path)

    def test_head_is_get_without_a_body(self):
        for path in ("/v1/plugins", "/livez", "/v1/plugins/p/health"):
            answer = self.host.request("HEAD", path)
            self.assertEqual((answer.status, answer.body), (200, b""))

    def test_unknown_methods_do_no_harm(self):
        for method in ("BREW", "TRACE", "OPTIONS", "CONNECT"):
            self.assertIn(self.host.request(method, "/v1/plugins").status, (400, 405, 501), method)

    def test_odd_paths_do_no_harm(self):
        for path in ("/v1/plugins/..%2f..%2fetc/health", "/v1/plugins/%00/health", "/%zz",
                     "/v1/plugins/%c0%af/health", "//v1/plugins", "/v1/plugins/" + "a" * 4000,
                     "/v1/plugins/p;x/health"):
            answer = self.host.get(path)
            self.assertIn(answer.status, (400, 404, 414), path)

    def test_a_reload_needs_no_body(self):
        self.assertEqual(self.host.post("/v1/plugins/p/reload").status, 200)

    def test_answers_are_not_stored_by_anybody(self):
        answer = self.host.get("/v1/plugins")
        self.assertIn("no-store", answer.headers["cache-control"])
        self.assertEqual(answer.headers["x-content-type-options"], "nosniff")


class Guard(HostCase):
    def setUp(self):
        super().setUp()
        self.plugin("p", like="crashtest")

    def raw_status(self, host, *headers):
        reply = host.raw(b"GET /v1/plugins HTTP/1.1\r\nConnection: close\r\n"
                         + b"".join(h.encode() + b"\r\n" for h in headers) + b"\r\n")
        return int(reply.split()[1])

    def test_a_foreign_host_name_is_refused(self):
        host = self.serve()
        for name in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                     "127.0.0.1@evil.example"):
            self.assertIn(self.raw_status(host, f"Host: {name}:{host.port}"), (400, 403, 421), name)
        for name in ("127.0.0.1", "localhost"):
            self.assertEqual(self.raw_status(host, f"Host: {name}:{host.port}"), 200, name)

    def test_no_host_name_and_two_are_refused(self):
        host = self.serve()
        self.assertEqual(self.raw_status(host), 400)
        own = f"Host: 127.0.0.1:{host.port}"
        self.assertEqual(self.raw_status(host, own, own), 400)

    def test_a_page_from_elsewhere_is_refused(self):
        host = self.serve()
        for origin in ("http://evil.example", "null", f"http://evil.example:{host.port}"):
            answer = host.run("p", "echo", headers={"Origin": origin})
            self.assert_error(answer, 403, "Forbidden")
        answer = host.run("p", "echo", headers={"Origin": f"http://127.0.0.1:{host.port}"})
        self.assertEqual(answer.status, 200)

    def test_a_token_is_asked_for_where_there_is_one(self):
        path = os.path.join(self.folder, "token")
        with open(path, "w", encoding="ascii") as f:
            f.write("0123456789abcdef0123456789abcdef\n")
        os.chmod(path, 0o600)
        host = self.serve("--token-file", path, wait=False)
        for headers in ({}, {"Authorization": "Bearer wrong-wrong-wrong-wrong"},
                        {"Authorization": "Basic MDEyMzQ1Njc4OWFiY2RlZg=="}):
            self.assert_error(host.get("/v1/plugins", headers=headers), 401, "Unauthorized")
            self.assert_error(host.run("p", "echo", headers=headers), 401, "Unauthorized")
        host.token = "0123456789abcdef0123456789abcdef"
        host.wait_ready()
        self.assertEqual(host.run("p", "echo").status, 200)
        self.assertNotIn(host.token, host.stderr())

    def test_beyond_loopback_a_token_is_a_must(self):
        import subprocess
        done = subprocess.run([FORGESYTE, "serve", "--plugins", self.plugins,
                               "--listen", "0.0.0.0:0"], stderr=subprocess.PIPE, timeout=30,
                              check=False, env=environment())
        self.assertIn(done.returncode, (2, 78))
        self.assertIn(b"token", done.stderr)

    def test_a_token_file_that_others_may_read_is_refused(self):
        path = os.path.join(self.folder, "token")
        with open(path, "w", encoding="ascii") as f:
            f.write("0123456789abcdef0123456789abcdef\n")
        os.chmod(path, 0o644)
        with self.assertRaisesRegex(AssertionError, "token"):
            Host([self.plugins], ["--token-file", path])


class Rude(HostCase):
    """Requests that are none."""

    def test_nothing_rude_gets_a_good_answer_or_costs_the_host(self):
        self.plugin("p", like="crashtest")
        host = self.serve()
        own = b"Host: 127.0.0.1:%d\r\n" % host.port
        for rude in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\n",
                     b"GET /livez\r\n\r\n", b"get /livez HTTP/1.1\r\n" + own + b"\r\n",
                     b"GET /livez HTTP/1.1\r\n" + own + b"Content-Length: 1\r\n"
                     b"Content-Length: 2\r\n\r\nx",
                     b"POST /v1/plugins/p/reload HTTP/1.1\r\n" + own + b"Content-Length: -1\r\n\r\n",
                     b"POST /v1/plugins/p/reload HTTP/1.1\r\n" + own + b"Content-Length: 5\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                     b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + own + b"\r\n",
                     b"GET /livez HTTP/1.1\r\n" + own + b"X: " + b"y" * 200_000 + b"\r\n\r\n"):
            with self.subTest(rude=rude[:60]):
                import contextlib
                import socket
                with socket.create_connection(("127.0.0.1", host.port), 20) as s:
                    reply = b""
                    with contextlib.suppress(OSError):  # it has hung up already
                        s.sendall(rude)
                        s.shutdown(socket.SHUT_WR)
                    s.settimeout(20 * SLOW)
                    with contextlib.suppress(ConnectionError):
                        while piece := s.recv(4096):
                            reply += piece
                self.assertRegex(reply.split(b"\r\n")[0], rb"^HTTP/1\.1 (400|414|431|501|505) ")
                self.assertIs(json.loads(reply.partition(b"\r\n\r\n")[2])["ok"], False)
                self.assertEqual(host.get("/livez").status, 200)
        self.assertEqual(host.health("p")["generation"], 1)


if __name__ == "__main__":
    unittest.main()
