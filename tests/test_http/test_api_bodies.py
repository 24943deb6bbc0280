"""test_api_bodies.py -- the ways to hand arguments over: JSON, base64, data: URLs, multipart, raw."""
import base64
import json
import os
import unittest

from host import HostCase

PATH = "/v1/plugins/p/tools/length/run"


def sum_of(data):
    total = 0
    for byte in data:
        total = (total * 31 + byte) & 0xffffffff
    return total


def multipart(*parts, boundary="xYzZy"):
    """Parts: (name, filename or None, content type or None, bytes)."""
    body = b""
    for name, filename, content_type, data in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        head += f'; filename="{filename}"' if filename is not None else ""
        head += f"\r\nContent-Type: {content_type}" if content_type else ""
        body += head.encode() + b"\r\n\r\n" + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


class Bodies(HostCase):
    def setUp(self):
        super().setUp()
        self.plugin("p", like="answers")
        self.host = self.serve("--max-body", "8M")

    def send(self, body, content_type, path=PATH):
        return self.host.request("POST", path, body, {"Content-Type": content_type})

    def check(self, answer, data, note="", count=-1, flag=False):
        self.assertEqual(answer.result, {"given": True, "size": len(data), "sum": sum_of(data),
                                         "note": note, "count": count, "flag": flag})

    def test_json_with_base64(self):
        data = bytes(range(256))
        answer = self.host.post(PATH, {"data": base64.b64encode(data).decode(), "note": "n",
                                       "count": 7, "flag": True})
        self.check(answer, data, "n", 7, True)

    def test_json_with_a_data_url(self):
        data = b"\x89PNG" + os.urandom(100)
        url = "data:image/png;base64," + base64.b64encode(data).decode()
        self.check(self.host.post(PATH, {"data": url}), data)

    def test_base64_that_is_none_is_refused(self):
        for text in ("%%%%", "AA=", "A" * 5, "AAAA====", "data:image/png;base64,@@"):
            answer = self.host.post(PATH, {"data": text})
            self.assertIn((answer.status, answer.error_type),
                          [(422, "InvalidArguments"), (400, "BadRequest")], text)

    def test_empty_bytes_are_given_and_empty(self):
        self.check(self.host.post(PATH, {"data": ""}), b"")

    def test_multipart_file_and_text_parts(self):
        data = os.urandom(10_000)
        body, content_type = multipart(("data", "a.bin", "application/octet-stream", data),
                                       ("note", None, None, "grüße".encode()),
                                       ("count", None, None, b"42"), ("flag", None, None, b"true"))
        self.check(self.send(body, content_type), data, "grüße", 42, True)

    def test_a_file_that_nobody_chose_is_no_argument(self):
        body, content_type = multipart(("data", "", "application/octet-stream", b""),
                                       ("note", None, None, b"n"))
        self.assert_error(self.send(body, content_type), 422, "InvalidArguments",
                          '"data" is required and missing')

    def test_a_file_without_a_name_is_bytes_not_base64(self):
        body, content_type = multipart(("data", "", "application/octet-stream", b"QUJD\0\xff"))
        self.check(self.send(body, content_type), b"QUJD\0\xff")

    def test_a_text_part_of_the_wrong_type_is_refused(self):
        body, content_type = multipart(("data", "a.bin", None, b"x"),
                                       ("count", None, None, b"many"))
        self.assert_error(self.send(body, content_type), 422, "InvalidArguments", "count")

    def test_multipart_without_its_end_is_refused(self):
        body, content_type = multipart(("data", "a.bin", None, b"x"))
        self.assert_error(self.send(body[:-10], content_type), 400, "BadRequest")

    def test_a_part_given_twice_is_refused(self):
        body, content_type = multipart(("data", "a", None, b"x"), ("data", "b", None, b"y"))
        self.assert_error(self.send(body, content_type), 400, "BadRequest")

    def test_a_raw_body_is_the_bytes_argument(self):
        data = os.urandom(1000)
        for content_type in ("image/png", "video/mp4", "application/octet-stream"):
            answer = self.send(data, content_type, PATH + "?note=n%C3%BC&count=3&flag=true")
            self.check(answer, data, "nü", 3, True)

    def test_a_raw_body_for_a_tool_without_bytes_is_refused(self):
        answer = self.send(b"x", "image/png", "/v1/plugins/p/tools/raw/run")
        self.assertIn(answer.status, (415, 400, 422), answer)

    def test_other_types_are_unsupported(self):
        for content_type in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
            self.assert_error(self.send(b"{}", content_type), 415, "UnsupportedMediaType")

    def test_json_in_another_charset_is_unsupported(self):
        self.assert_error(self.send(b"{}", "application/json; charset=utf-7"), 415,
                          "UnsupportedMediaType", "UTF-8")
        for charset in ("utf-8", '"UTF-8"'):
            answer = self.send(b"{}", f"application/json; charset={charset}")
            self.assertNotEqual(answer.status, 415, charset)

    def test_a_compressed_body_is_unsupported(self):
        answer = self.host.request("POST", PATH, b"\x1f\x8b", {"Content-Type": "application/json",
                                                               "Content-Encoding": "gzip"})
        self.assert_error(answer, 415, "UnsupportedMediaType")

    def test_json_that_is_no_object_is_refused(self):
        for text in ("[]", "1", '"x"', "null", "", "{} {}", "{\"a\":1,\"a\":2}", "{'a': 1}",
                     "\ufeff{}", '{"a": NaN}', '{"data": "\\ud800"}'):
            answer = self.send(text.encode(), "application/json")
            self.assertIn(answer.status, (400, 422), f"{text!r}: {answer!r}")

    def test_invalid_utf_8_is_refused(self):
        self.assert_error(self.send(b'{"note": "\xff"}', "application/json"), 400, "BadRequest")

    def test_json_100000_deep_is_refused(self):
        self.assert_error(self.send(b'{"a":' * 100_000, "application/json"), 400, "BadRequest")

    def test_big_bodies_arrive_whole(self):
        data = os.urandom(1 << 20) * 5
        self.check(self.send(data, "application/octet-stream"), data)
        text = base64.b64encode(data).decode()
        self.check(self.host.post(PATH, {"data": text}), data)
        body, content_type = multipart(("data", "v.mp4", "video/mp4", data))
        self.check(self.send(body, content_type), data)

    def test_a_body_in_chunks_arrives_whole(self):
        data = os.urandom(100_000)

        def chunks():
            for start in range(0, len(data), 7000):
                yield data[start:start + 7000]

        answer = self.host.request("POST", PATH, chunks(),
                                   {"Content-Type": "application/octet-stream"})
        self.check(answer, data)

    def test_a_body_over_the_limit_is_cut_before_it_is_read(self):
        head = (b"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: image/png\r\n"
                b"Content-Length: %d\r\n\r\n" % (PATH.encode(), self.host.port, 9 << 20))
        reply = self.host.raw(head)
        self.assertIn(b" 413 ", reply.split(b"\r\n")[0])
        envelope = json.loads(reply.split(b"\r\n\r\n", 1)[1])
        self.assertEqual(envelope["error_type"], "PayloadTooLarge")

    def test_a_body_that_grows_over_the_limit_in_chunks_is_cut(self):
        head = (b"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: image/png\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n" % (PATH.encode(), self.host.port))
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        import contextlib
        import socket
        with socket.create_connection(("127.0.0.1", self.host.port), 20) as s:
            reply = b""
            with contextlib.suppress(ConnectionError):
                s.sendall(head)
                for _ in range(20):
                    s.sendall(chunk)
            with contextlib.suppress(ConnectionError):
                reply = s.recv(65536)
        self.assertTrue(not reply or b" 413 " in reply.split(b"\r\n")[0], reply[:200])
        self.assertEqual(self.host.get("/livez").status, 200)

    def test_the_default_limit_is_64_mib(self):
        self.plugin("p", like="answers")
        host = self.serve()
        for size, status in (((64 << 20) + 1, b" 413 "), (64 << 20, None)):
            head = (b"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: image/png\r\n"
                    b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
                    % (PATH.encode(), host.port, size))
            import socket
            with socket.create_connection(("127.0.0.1", host.port), 20) as s:
                s.sendall(head)
                first = s.recv(4096).split(b"\r\n")[0]
            self.assertIn(status or b" 100 ", first)


if __name__ == "__main__":
    unittest.main()
