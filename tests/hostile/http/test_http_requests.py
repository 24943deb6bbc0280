"""test_http_requests.py -- the corpus's requests as bytes: each file beside this one is a row, and each of
its requests is answered as it says, with the envelope, and the connection ends where it must."""
import unittest

from rude import RudeCase, rows


class Requests(RudeCase):
    def send_row(self, requests):
        for request in requests:
            with self.subTest(request.words):
                client = self.client()
                with client:
                    reply = client.send(request.bytes(self.host.port)).reply()
                    self.check_reply(reply, request.statuses, request.error_type, request.words)
                    if request.closes:
                        self.assertEqual(reply.headers.get("connection"), "close", reply)
                        self.assertTrue(client.ends(), f"{request.words}: {client.got[:200]}")
                    else:
                        self.assertEqual(client.got, b"", request.words)
                        self.assertEqual(client.get().status, 200, request.words)
        self.assertEqual(self.host.health("p")["generation"], 1)
        self.check_host()


def test_of(requests):
    return lambda self: self.send_row(requests)


for row, name, sent in rows():
    setattr(Requests, f"test_{name.lower().replace('-', '_').replace('.', '_')}", test_of(sent))


if __name__ == "__main__":
    unittest.main()
