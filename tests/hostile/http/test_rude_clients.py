"""test_rude_clients.py -- the corpus's clients: slow, half-open, flooding, vanishing, never reading. Each
test is a row; what one of them does must not be felt by the host, nor by the others."""
import json
import os
import resource
import select
import signal
import socket
import struct
import tempfile
import time
import unittest

from rude import PATIENCE, RudeCase, SLOW
from host import stat_fields

HEAD_SECONDS = 10   # a head's whole time
WINDOW_SECONDS = 10  # in each, a body or an answer must move
TOKEN = "0123456789abcdef0123456789abcdef"


def call(port, plugin, tool, args, *headers):
    body = json.dumps(args).encode()
    lines = "".join(h + "\r\n" for h in headers)
    return (f"POST /v1/plugins/{plugin}/tools/{tool}/run HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{lines}\r\n").encode() \
        + body


def reset(client):
    """Vanishes without a goodbye."""
    client.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.s.close()


class Slow(RudeCase):
    def drip(self, clients, byte, every, seconds):
        """One byte each now and then, until all are closed or time is up; what the host said."""
        said = {client: b"" for client in clients}
        open_ones = {client.s.fileno(): client for client in clients}
        poll = select.poll()
        for fd in open_ones:
            poll.register(fd, select.POLLIN)
        end, due = time.monotonic() + seconds, 0
        while open_ones and time.monotonic() < end:
            if time.monotonic() >= due:
                due = time.monotonic() + every
                for client in open_ones.values():
                    try:
                        client.s.send(byte, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                    except OSError:  # it is being closed: the poll tells
                        continue
            for fd, _ in poll.poll(50):
                client = open_ones[fd]
                if client.more():
                    continue
                said[client] = client.got
                poll.unregister(fd)
                del open_ones[fd]
        self.assertEqual(len(open_ones), 0, "still open")
        return list(said.values())

    def test_w01_a_thousand_slow_heads_beside_good_clients(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        clients = [self.client() for _ in range(1000)]
        for i, client in enumerate(clients):
            client.send(b"GET /livez HTTP/1.1\r\nX-%d: " % i)
        began = time.monotonic()
        said = self.drip(clients, b"a", 1, HEAD_SECONDS + PATIENCE)
        self.assertGreater(time.monotonic() - began, HEAD_SECONDS / 2)
        answered = [text for text in said if text]
        self.assertGreater(len(answered), 100)
        for text in answered:
            self.assertTrue(text.startswith(b"HTTP/1.1 408 "), text[:100])
            self.assertEqual(json.loads(text.partition(b"\r\n\r\n")[2])["error_type"],
                             "RequestTimeout")
        for client in clients:
            client.s.close()
        self.check_host()

    def test_w02_a_slow_body(self):
        clients = [self.client() for _ in range(20)]
        for client in clients:
            client.send(call(self.host.port, "p", "segfault", {"a": "b" * 5000})[:-4900])
        for text in self.drip(clients, b"b", 0.5, 3 * WINDOW_SECONDS):
            self.assertTrue(text.startswith(b"HTTP/1.1 408 "), text[:100])
        for client in clients:
            client.s.close()
        self.assertEqual(self.host.health("p")["generation"], 1)
        self.check_host()

    def test_w03_a_reader_that_never_reads(self):
        clients = [self.client(receive_buffer=4096) for _ in range(4)]
        for client in clients:
            client.send(call(self.host.port, "a", "large", {"bytes": 16 << 20}))
        self.wait_for(lambda: self.host.descriptors() == self.descriptors, "all are cut",
                      3 * WINDOW_SECONDS + PATIENCE)
        for client in clients:
            client.s.close()
        self.check_host()


class Floods(RudeCase):
    args = ("--max-connections", "64")

    def test_w04_health_answers_when_every_slot_waits(self):
        self.dismiss_watcher()
        callers = [self.client() for _ in range(64)]
        for client in callers:
            client.send(call(self.host.port, "p", "sleep", {"ms": 60000}))
        self.wait_health_of("p", 64)
        for _ in range(20):  # one after the other, each on a connection of the reserve
            with self.client() as client:
                reply = client.get()
                self.assertEqual((reply.status, reply.headers["connection"]), (200, "close"))
                self.assertTrue(client.ends())
        hoarders = [self.client() for _ in range(40)]  # sitting on the reserve does not help
        for path in ("/livez", "/healthz", "/readyz"):
            with self.client() as client:
                self.assertIn(client.get(path).status, (200, 503), path)
        with self.client() as client:
            self.check_reply(client.get("/v1/plugins"), [503], "ServerBusy")
            self.assertTrue(client.ends())
        with self.client() as client:
            client.send(call(self.host.port, "a", "nothing", {}))
            self.check_reply(client.reply(), [503], "ServerBusy")
        for client in callers + hoarders:
            client.s.close()
        self.wait_health_of("p", 0)
        self.check_host()

    def wait_health_of(self, name, calls):
        """Until the plugin has so many calls: asked for on connections of their own, or on the
        metrics of health when there is no slot to ask on."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with self.client() as client:
                reply = client.get(f"/v1/plugins/{name}/health")
            if reply.status == 503 and calls >= 64:
                return
            if reply.status == 200 and calls < 64 \
                    and reply.envelope["in_flight"] + reply.envelope["queue_depth"] == calls:
                return
            select.select([], [], [], 0.02)
        self.fail(f"{name}: {reply}")

    def test_w04_a_flood_of_connections_leaves_nothing_behind(self):
        for _ in range(20):
            clients = [self.client() for _ in range(150)]
            for client in clients[::2]:
                client.send(b"GET /livez HTTP/1.1\r\n")
            for client in clients[::3]:
                reset(client)
            for client in clients:
                client.s.close()
        self.check_host()

    def test_w04_out_of_descriptors(self):
        self.dismiss_watcher()
        before = resource.prlimit(self.host.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.host.pid, resource.RLIMIT_NOFILE, (self.top_descriptor() + 4, before[1]))
        callers = [self.client() for _ in range(30)]
        for client in callers:
            client.send(call(self.host.port, "p", "sleep", {"ms": 60000}))
        for _ in range(20):
            with self.client() as client:
                self.assertEqual(client.get().status, 200)
        cpu = self.cpu_seconds()
        select.select([], [], [], 1)
        self.assertLess(self.cpu_seconds() - cpu, 0.3 * SLOW, "it spins")
        resource.prlimit(self.host.pid, resource.RLIMIT_NOFILE, before)
        for client in callers:
            client.s.close()
        self.wait_health_of("p", 0)
        with self.client() as client:
            self.assertEqual(client.get("/v1/plugins").status, 200)
        self.check_host()

    def top_descriptor(self):
        return max(int(name) for name in os.listdir(f"/proc/{self.host.pid}/fd")) + 1

    def cpu_seconds(self):
        fields = stat_fields(self.host.pid)
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_w31_the_oldest_idle_connection_makes_room(self):
        self.dismiss_watcher()
        idle = []
        for _ in range(64):
            idle.append(self.client())
            self.assertEqual(idle[-1].get().status, 200)
        fresh = []
        for _ in range(10):
            fresh.append(self.client())
            self.assertEqual(fresh[-1].get().status, 200)
        for client in idle[:10]:
            self.assertTrue(client.ends())
        for client in idle[10:]:
            self.assertEqual(client.get().status, 200)
        for client in idle + fresh:
            client.s.close()
        self.check_host()


class OneAddress(RudeCase):
    args = ("--max-connections-per-address", "8")

    def test_w04_one_address_does_not_take_all(self):
        self.dismiss_watcher()
        mine = [self.client(source="127.0.0.9") for _ in range(8)]
        for client in mine:
            client.send(call(self.host.port, "p", "sleep", {"ms": 60000}))
        with self.client(source="127.0.0.9") as client:
            self.check_reply(client.send(b"").reply(), [503], "ServerBusy")
            self.assertTrue(client.ends())
        with self.client(source="127.0.0.10") as client:
            self.assertEqual(client.get("/v1/plugins").status, 200)
        for client in mine:
            client.s.close()
        self.check_host()


class Budget(RudeCase):
    args = ("--max-buffered", "9M")

    def test_all_uploads_together_have_a_bound(self):
        """8 MiB each may have, 9 all of them: what has come of the first leaves no room for a
        second, and small requests go on."""
        head = call(self.host.port, "a", "length", {"data": "QUJD" * (1 << 20)})
        hoarders = [self.client() for _ in range(3)]
        hoarders[0].send(head[:4 << 20])
        refused = 0
        for client in hoarders[1:]:
            client.send(head[:4 << 20])
            if select.select([client.s], [], [], 2 * SLOW)[0]:
                self.check_reply(client.reply(), [503], "ServerBusy")
                refused += 1
        self.assertGreaterEqual(refused, 1)
        self.assertEqual(self.host.run("p", "echo", {"a": 1}).result, {"a": 1})
        for client in hoarders:
            client.s.close()
        self.check_host()
        end = time.monotonic() + PATIENCE
        while self.host.run("a", "length", {"data": "QUJD" * (1 << 20)}).status == 503:
            self.assertLess(time.monotonic(), end)
        # What a client does not read is held for it, and there is a bound to that, too.
        stubborn = [self.client(receive_buffer=4096) for _ in range(3)]
        for client in stubborn:
            client.send(call(self.host.port, "a", "large", {"bytes": 6 << 20}))
        end = time.monotonic() + PATIENCE
        answer = None
        while time.monotonic() < end:
            answer = self.host.run("a", "large", {"bytes": 8 << 20})
            if answer.status == 503:
                break
        self.assert_error(answer, 503, "ServerBusy")
        self.assertEqual(answer.headers["retry-after"], "1")
        for client in stubborn:
            client.s.close()


class Vanishing(RudeCase):
    def test_w21_half_a_million_keys(self):
        body = b"{" + b",".join(b'"k%d":1' % i for i in range(500_000)) + b"}"
        with self.client() as client:
            client.send(b"POST /v1/plugins/p/tools/sleep/run HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                        % (self.host.port, len(body), body))
            self.check_reply(client.reply(), [400, 422], "*")
        self.check_host()

    def test_w26_a_thousand_requests_ahead(self):
        with self.client() as client:
            client.send(b"".join(call(self.host.port, "p", "echo", {"n": n}) for n in range(1000)))
            for n in range(1000):
                self.assertEqual(client.reply().envelope["result"], {"n": n})
        with self.client() as client:  # one at a time, and what it sends ahead stays with it
            client.s.settimeout(1)
            sent = 0
            try:
                while sent < 64 << 20:
                    sent += client.s.send(call(self.host.port, "p", "sleep", {"ms": 60000}) * 100)
            except TimeoutError:
                pass
            self.assertLess(sent, 64 << 20, "the host reads on and on")
            health = self.host.health("p")
            self.assertEqual((health["in_flight"], health["queue_depth"]), (1, 0))
            reset(client)  # a FIN would stay behind what nobody reads
        self.host.wait_health("p", lambda h: h["in_flight"] == 0)
        self.check_host()

    def test_w27_a_half_closed_client_is_answered(self):
        for data, status in ((call(self.host.port, "p", "sleep", {"ms": 300}), 200),
                             (b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % self.host.port,
                              200)):
            with self.client() as client:
                client.send(data).s.shutdown(socket.SHUT_WR)
                self.assertEqual(client.reply().status, status)
                self.assertTrue(client.ends())
        self.check_host()

    def test_w27_an_unfinished_request_ends_with_its_client(self):
        """However its last bytes and its end arrive: a hundred times, since the two may come as one."""
        for i in range(100):
            whole = call(self.host.port, "p", "segfault", {})
            with self.client() as client:
                client.s.send(whole[:1 + i * (len(whole) - 2) // 99])
                client.s.shutdown(socket.SHUT_WR)
                self.check_reply(client.reply(), [400], "BadRequest")
                self.assertTrue(client.ends())
        self.assertEqual(self.host.health("p")["generation"], 1)
        self.check_host()

    def test_w28_a_client_that_leaves_mid_call(self):
        for leave in (lambda client: client.s.close(), reset):
            client = self.client()
            client.send(call(self.host.port, "p", "sleep", {"ms": 60000}))
            self.host.wait_health("p", lambda h: h["in_flight"] == 1)
            leave(client)
            self.host.wait_health("p", lambda h: h["in_flight"] == 0)
        self.assertEqual(self.host.health("p")["generation"], 1)
        self.check_host()

    def test_w29_a_client_that_leaves_mid_upload(self):
        for leave in (lambda client: client.s.close(), reset):
            for _ in range(20):
                client = self.client()
                client.send(call(self.host.port, "p", "segfault", {"a": "b" * 1_000_000})[:-500_000])
                leave(client)
        self.check_host()
        health = self.host.health("p")
        self.assertEqual((health["generation"], health["error_count"], health["success_count"]),
                         (1, 0, 0))

    def test_w30_a_reset_during_the_answer(self):
        for _ in range(20):
            client = self.client(receive_buffer=4096)
            client.send(call(self.host.port, "a", "large", {"bytes": 4 << 20}))
            self.assertTrue(client.more())
            reset(client)
        self.check_host()

    def test_w34_ten_thousand_calls_to_one_slow_plugin(self):
        waiting = [self.client() for _ in range(65)]
        for client in waiting:
            client.send(call(self.host.port, "p", "sleep", {"ms": 60000}))
        self.host.wait_health("p", lambda h: h["in_flight"] + h["queue_depth"] == 65)
        with self.client() as client:
            for _ in range(100):
                client.send(call(self.host.port, "p", "echo", {}) * 100)
                for _ in range(100):
                    reply = client.reply()
                    self.check_reply(reply, [429], "PluginBusy")
                    self.assertIn("retry-after", reply.headers)
        for client in waiting:
            client.s.close()
        self.host.wait_health("p", lambda h: h["in_flight"] + h["queue_depth"] == 0)
        self.check_host()

    def test_w35_idempotency_keys(self):
        self.skipTest("there are no idempotency keys: each call is run once, and no request is a job")

    def test_w36_guessing_jobs(self):
        self.skipTest("there are no jobs: a call lives as long as its connection")

    def test_w37_nothing_of_a_request_reaches_the_log_raw(self):
        before = self.host.stderr()
        with self.client() as client:
            for path in (b"/v1/plugins/%e2%80%ae%c2%9b31m", b"/%0a%1b[31mforgesyte:%20error", b"/\xc2\x9b"):
                client.send(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: \xff\xc2\x9b31m\r\n"
                            b"X: a\tb\r\n\r\n" % (path, self.host.port))
                reply = client.reply()
                self.check_reply(reply, [400, 404], "*")
                self.assertRegex(reply.body, rb"\A[^\x00-\x1f\x7f]+\Z")
                if reply.status == 400:
                    break
        self.assertEqual(self.host.stderr(), before)
        self.check_host()


class Guarded(RudeCase):
    def setUp(self):
        fd, path = tempfile.mkstemp(prefix="forgesyte-token-")
        self.addCleanup(os.unlink, path)
        os.write(fd, TOKEN.encode() + b"\n")
        os.close(fd)
        self.args, self.token = ("--token-file", path), TOKEN
        super().setUp()

    def ask(self, *headers, path="/v1/plugins"):
        with self.client() as client:
            lines = "".join(h + "\r\n" for h in headers)
            client.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.host.port}\r\n{lines}\r\n"
                        .encode())
            return client.reply()

    def test_w33_tokens(self):
        for headers in ((), ("Authorization: Bearer " + TOKEN[:-1],),
                        ("Authorization: Bearer " + TOKEN + "0",),
                        ("Authorization: Bearer " + TOKEN[:-1] + "0",),
                        ("Authorization: Bearer",), ("Authorization: Bearer  ",),
                        ("Authorization: Basic " + TOKEN,), ("Authorization: " + TOKEN,),
                        ("X-Authorization: Bearer " + TOKEN,), ("Cookie: token=" + TOKEN,)):
            reply = self.ask(*headers)
            self.check_reply(reply, [401], "Unauthorized", headers)
            self.assertEqual(reply.headers["www-authenticate"], "Bearer")
            self.assertNotIn(TOKEN.encode(), reply.body)
        for path in ("/v1/plugins?token=" + TOKEN, "/v1/plugins?access_token=" + TOKEN):
            self.check_reply(self.ask(path=path), [401], "Unauthorized")
        self.check_reply(self.ask("Authorization: Bearer " + "x" * (1 << 20)), [431], "HeadersTooLarge")
        self.check_reply(self.ask("Authorization: Bearer " + TOKEN, "Authorization: Bearer x"), [400],
                         "BadRequest")
        self.assertEqual(self.ask("Authorization: Bearer " + TOKEN).status, 200)
        self.host.process.send_signal(signal.SIGHUP)
        self.host.wait_line("read anew")
        self.assertNotIn(TOKEN, self.host.stderr())
        self.check_host()


if __name__ == "__main__":
    unittest.main()
