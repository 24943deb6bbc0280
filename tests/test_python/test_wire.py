"""test_wire.py -- the decoders of python/ hold against the corpus of tests/fuzz and its mutations.

The corpus is shared with the host: its first byte says what the rest is (0: a message's payload,
whose second byte says which; 1: a stream). LOAD's layout there may be older than ours: what matters
is that every input is either decoded or refused with WireError.
"""
import os
import random
import struct
import sys
import unittest

import fake_host

sys.path.insert(0, fake_host.LIBDIR)
from forgesyte_worker import wire

CORPUS = os.path.join(fake_host.ROOT, "tests", "fuzz", "corpus", "wire")
MUTATIONS = 40


def corpus():
    for name in sorted(os.listdir(CORPUS)):
        with open(os.path.join(CORPUS, name), "rb") as f:
            yield name, f.read()


def mutated(data, rng):
    """One small change, as the fuzzer's own driver makes them."""
    data = bytearray(data)
    at = rng.randrange(len(data)) if data else 0
    kind = rng.randrange(7) if data else 0
    if kind == 0:
        data.insert(at, rng.randrange(256))
    elif kind == 1:
        del data[at]
    elif kind == 2:
        del data[at:]
    elif kind == 3:
        data[at] = 0xFF
    elif kind == 4:
        data[at] = 0
    elif kind == 5:
        data[at] = (data[at] + 1) & 0xFF
    else:
        data[at] ^= 1 << rng.randrange(8)
    return bytes(data)


class WireTest(unittest.TestCase):
    def refused(self, decode, data, words):
        with self.assertRaisesRegex(wire.WireError, words):
            decode(wire.Source(data))

    def test_the_checksum_is_crc_32c(self):
        self.assertEqual(wire.crc32c(b"123456789"), 0xE3069283)
        self.assertEqual(wire.crc32c(b""), 0)

    def test_a_header_is_what_the_protocol_says(self):
        data = wire.encode_header(wire.Header(67, 5, 3, 2**63, 9))
        self.assertEqual(data[:28], struct.pack("<IBBHIIQI", 0x45475246, 1, 67, 0, 5, 3, 2**63, 9))
        self.assertEqual(data[28:], struct.pack("<I", fake_host.crc32c(data[:28])))
        self.assertEqual(wire.decode_header(data), (67, 5, 3, 2**63, 9))

    def test_one_flipped_bit_in_a_header_is_noticed(self):
        data = wire.encode_header(wire.Header(5, 5, 3, 4, 9))
        for bit in range(256):
            wrong = bytearray(data)
            wrong[bit // 8] ^= 1 << bit % 8
            with self.assertRaises(wire.WireError):
                wire.decode_header(bytes(wrong))

    def test_load_and_call_are_decoded(self):
        load = wire.decode_load(wire.Source(
            fake_host.load_payload("/p", "plugin.py", {"m": "/p/m.pt"}, "/usr/bin/python3", "n")))
        self.assertEqual(load, ("python", "n", "/p", "plugin.py", "/usr/bin/python3",
                                {"m": "/p/m.pt"}))
        payload = (fake_host.text("t") + fake_host.text('{"ü":1}')
                   + struct.pack("<H", 4)
                   + fake_host.text("b") + b"\1\1" + fake_host.text("i") + struct.pack("<Bq", 2, -5)
                   + fake_host.text("d") + struct.pack("<Bd", 3, 0.5)
                   + fake_host.text("s") + b"\4" + fake_host.text("x")
                   + struct.pack("<H", 1) + fake_host.text("img") + fake_host.text("image/png")
                   + fake_host.text("\1\2"))
        call = wire.decode_call(wire.Source(payload))
        self.assertEqual(call, ("t", '{"ü":1}',
                                [("b", True), ("i", -5), ("d", 0.5), ("s", "x")],
                                [("img", "image/png", b"\1\2")]))
        for n in range(len(payload)):
            with self.assertRaises(wire.WireError):
                wire.decode_call(wire.Source(payload[:n]))
        self.refused(wire.decode_call, payload + b"x", "left over")

    def test_lies_are_refused_before_anything_is_made(self):
        self.refused(wire.decode_call, b"\xff\xff\xff\xff", "larger than what follows")
        self.refused(wire.decode_call, fake_host.text("t") * 2 + b"\xff\xff", "count")
        self.refused(wire.decode_call, b"\2\0\0\0a\0", "NUL")
        self.refused(wire.decode_call, b"\1\0\0\0\xff", "UTF-8")
        self.refused(wire.decode_call, b"\3\0\0\0\xed\xa0\x80", "UTF-8")
        scalar = fake_host.text("t") + fake_host.text("{}") + struct.pack("<H", 1)
        scalar += fake_host.text("d")
        self.refused(wire.decode_call, scalar + b"\3" + struct.pack("<d", float("nan")), "finite")
        self.refused(wire.decode_call, scalar + b"\1\2", "2 is not one of")
        self.refused(wire.decode_call, scalar + b"\5\0", "5 is not one of")
        self.refused(wire.decode_call, scalar + b"\0\0", "0 is not one of")

    def test_the_corpus_and_its_mutations_are_decoded_or_refused(self):
        rng = random.Random(1)
        decoded = 0
        for name, data in corpus():
            for _ in range(MUTATIONS):
                for decode in (wire.decode_load, wire.decode_call):
                    try:
                        decode(wire.Source(data[2:]))
                        decoded += 1
                    except wire.WireError as e:
                        self.assertTrue(str(e), name)
                for at in range(0, max(len(data) - 31, 0), 8):
                    try:
                        wire.decode_header(data[at:at + 32])
                    except wire.WireError as e:
                        self.assertTrue(str(e), name)
                data = mutated(data, rng)
        self.assertGreater(decoded, 0)

    def test_mutations_of_good_messages_are_decoded_or_refused(self):
        rng = random.Random(2)
        call = fake_host.call_payload("t", '{"a":1}', [("b", "c/d", b"xyz"), ("e", "", b"")])
        load = fake_host.load_payload("/p", "plugin.py", {"a": "b", "c": "d"})
        for good, decode in ((call, wire.decode_call), (load, wire.decode_load)):
            data = good
            for i in range(20000):
                try:
                    decode(wire.Source(data))
                except wire.WireError:
                    pass
                data = mutated(data, rng) if i % 6 else good

    def test_the_corpus_call_is_understood(self):
        with open(os.path.join(CORPUS, "message_call"), "rb") as f:
            call = wire.decode_call(wire.Source(f.read()[2:]))
        self.assertEqual(call.tool, "greet")
        self.assertEqual(call.scalars, [("b", True), ("i", -5), ("d", 0.5), ("s", "x")])
        self.assertEqual(call.blobs[0][:2], ("img", "image/png"))

    def test_what_is_sent_is_text_without_nul(self):
        self.assertEqual(wire.text("a\0\ud800"), fake_host.text("a\\x00\\ud800"))
        error = fake_host.parse_error(b"".join(wire.encode_error(1, "T", "a\0b", "ü")))
        self.assertEqual(error, (1, "T", "a\\x00b", "ü"))


if __name__ == "__main__":
    unittest.main()
