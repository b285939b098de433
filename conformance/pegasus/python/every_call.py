"""Every documented call of pypegasus3 against a running server.

The expected answers are those of the original, odd ones included: the numbers
are the client's own error codes, and a storage error of a write comes through
as a bare RocksDB number.
"""

import os

from twisted.internet import reactor, task
from twisted.internet.defer import inlineCallbacks
from twisted.trial import unittest

from pypegasus.base.ttypes import error_types
from pypegasus.pgclient import Pegasus
from pypegasus.rrdb.ttypes import filter_type
from pypegasus.utils.tools import MultiGetOptions, ScanOptions

METAS = ["127.0.0.1:34601", "127.0.0.1:34602", "127.0.0.1:34603"]

OK = 0
INVALID_ARGUMENT = 4  # of RocksDB, not translated
NOT_FOUND = 23
INVALID_PARAMETERS = 28
INCOMPLETE = 38


class Case:
    @inlineCallbacks
    def setUp(self):
        self.hk = self.id()
        self.c = Pegasus(METAS, "temp")
        ready = yield self.c.init()
        self.assertTrue(ready)

    def tearDown(self):
        self.c.close()

    @inlineCallbacks
    def expect(self, answer, *want):
        got = yield answer
        self.assertEqual(got, want)

    @inlineCallbacks
    def fill(self, *sort_keys, hash_key=None):
        rows = {sk: "v" + sk for sk in sort_keys}
        yield self.expect(self.c.multi_set(hash_key or self.hk, rows), OK, None)

    @inlineCallbacks
    def read(self, scanner):
        rows = []
        while True:
            row = yield scanner.get_next()
            if row is None:
                return rows
            rows.append(row)


def rows(*sort_keys):
    return {sk.encode(): b"v" + sk.encode() for sk in sort_keys}


class TestSingleKey(Case, unittest.TestCase):
    @inlineCallbacks
    def test_set_get_remove(self):
        yield self.expect(self.c.get(self.hk, "s"), NOT_FOUND, b"")
        yield self.expect(self.c.set(self.hk, "s", "v"), OK, None)
        yield self.expect(self.c.get(self.hk, "s"), OK, b"v")
        yield self.expect(self.c.set(self.hk, "s", "again"), OK, None)
        yield self.expect(self.c.get(self.hk, "s"), OK, b"again")
        yield self.expect(self.c.remove(self.hk, "s"), OK, None)
        yield self.expect(self.c.get(self.hk, "s"), NOT_FOUND, b"")
        yield self.expect(self.c.remove(self.hk, "s"), OK, None)

    @inlineCallbacks
    def test_empty_value_and_sort_key(self):
        yield self.expect(self.c.set(self.hk, "", ""), OK, None)
        yield self.expect(self.c.get(self.hk, ""), OK, b"")
        yield self.expect(self.c.exist(self.hk, ""), OK, -1)
        yield self.expect(self.c.sort_key_count(self.hk), OK, 1)

    @inlineCallbacks
    def test_empty_hash_key(self):
        # Such rows are spread by their sort keys.
        for i in range(20):
            yield self.expect(self.c.set("", "s%d" % i, "v%d" % i), OK, None)
        for i in range(20):
            yield self.expect(self.c.get("", "s%d" % i), OK, b"v%d" % i)
            yield self.expect(self.c.remove("", "s%d" % i), OK, None)
        yield self.expect(self.c.set("", "", "both"), OK, None)
        yield self.expect(self.c.get("", ""), OK, b"both")
        yield self.expect(self.c.remove("", ""), OK, None)

    @inlineCallbacks
    def test_bytes(self):
        hk, sk, value = (b"\x00\xff" + os.urandom(6) + b"\xff\x00" for _ in range(3))
        yield self.expect(self.c.set(hk, sk, value), OK, None)
        yield self.expect(self.c.get(hk, sk), OK, value)
        yield self.expect(self.c.ttl(hk, sk), OK, -1)
        yield self.expect(self.c.sort_key_count(hk), OK, 1)
        yield self.expect(self.c.remove(hk, sk), OK, None)

    @inlineCallbacks
    def test_ttl_and_exist(self):
        yield self.expect(self.c.ttl(self.hk, "s"), NOT_FOUND, 0)
        yield self.expect(self.c.exist(self.hk, "s"), NOT_FOUND, 0)
        yield self.expect(self.c.set(self.hk, "s", "v"), OK, None)
        yield self.expect(self.c.ttl(self.hk, "s"), OK, -1)
        yield self.expect(self.c.set(self.hk, "s", "v", ttl=100), OK, None)
        code, seconds = yield self.c.ttl(self.hk, "s")
        self.assertEqual(code, OK)
        self.assertIn(seconds, (99, 100))
        code, seconds = yield self.c.exist(self.hk, "s")
        self.assertEqual(code, OK)
        self.assertIn(seconds, (99, 100))
        yield self.expect(self.c.set(self.hk, "s", "v"), OK, None)
        yield self.expect(self.c.ttl(self.hk, "s"), OK, -1)

    @inlineCallbacks
    def test_expiry(self):
        yield self.expect(self.c.set(self.hk, "stays", "v"), OK, None)
        yield self.expect(self.c.set(self.hk, "goes", "v", ttl=1), OK, None)
        yield self.expect(self.c.multi_set(self.hk, {"goes too": "v"}, ttl=1), OK, None)
        yield task.deferLater(reactor, 2.1, lambda: None)
        yield self.expect(self.c.get(self.hk, "goes"), NOT_FOUND, b"")
        yield self.expect(self.c.ttl(self.hk, "goes too"), NOT_FOUND, 0)
        yield self.expect(self.c.sort_key_count(self.hk), OK, 1)
        yield self.expect(self.c.get_sort_keys(self.hk), OK, {b"stays": b""})
        found = yield self.read(self.c.get_scanner(self.hk, "", "z", ScanOptions()))
        self.assertEqual(found, [((self.hk, "stays"), b"v")])

    @inlineCallbacks
    def test_negative_ttl_ends_at_once(self):
        yield self.expect(self.c.set(self.hk, "s", "v", ttl=-1), OK, None)
        yield self.expect(self.c.get(self.hk, "s"), NOT_FOUND, b"")

    @inlineCallbacks
    def test_write_over_the_limit(self):
        # An error of the frame is a bare member of the enum.
        got = yield self.c.set(self.hk, "s", b"v" * (1 << 20))
        self.assertEqual(got, error_types.ERR_INVALID_DATA)
        yield self.expect(self.c.get(self.hk, "s"), NOT_FOUND, b"")
        value = b"v" * ((1 << 20) - 200)
        yield self.expect(self.c.set(self.hk, "s", value, timeout=10000), OK, None)
        yield self.expect(self.c.get(self.hk, "s", timeout=10000), OK, value)

    @inlineCallbacks
    def test_calls_in_parallel(self):
        sets = [self.c.set(self.hk, str(i), "v%d" % i) for i in range(200)]
        for answer in sets:
            yield self.expect(answer, OK, None)
        gets = [self.c.get(self.hk, str(i)) for i in range(200)]
        for i, answer in enumerate(gets):
            yield self.expect(answer, OK, b"v%d" % i)
        yield self.expect(self.c.sort_key_count(self.hk), OK, 200)


class TestManyKeys(Case, unittest.TestCase):
    @inlineCallbacks
    def test_sort_key_count(self):
        yield self.expect(self.c.sort_key_count(self.hk), OK, 0)
        yield self.fill("a", "b", "c")
        yield self.expect(self.c.sort_key_count(self.hk), OK, 3)

    @inlineCallbacks
    def test_multi_set_and_get(self):
        yield self.fill("a", "b", "c")
        yield self.expect(self.c.multi_get(self.hk, {"a", "c", "absent"}), OK, rows("a", "c"))
        yield self.expect(self.c.multi_get(self.hk, {"absent"}), OK, {})
        yield self.expect(self.c.multi_get(self.hk, {"a"}, no_value=True), OK, {b"a": b""})
        yield self.expect(self.c.multi_set(self.hk, {"a": "new"}, ttl=100), OK, None)
        code, seconds = yield self.c.ttl(self.hk, "a")
        self.assertEqual(code, OK)
        self.assertIn(seconds, (99, 100))

    @inlineCallbacks
    def test_multi_set_of_nothing(self):
        yield self.expect(self.c.multi_set(self.hk, {}), INVALID_ARGUMENT, None)

    @inlineCallbacks
    def test_multi_set_turns_bytes_into_their_repr(self):
        yield self.expect(self.c.multi_set(self.hk, {b"k": b"v"}), OK, None)
        yield self.expect(self.c.get(self.hk, "b'k'"), OK, b"b'v'")
        yield self.expect(self.c.multi_get(self.hk, {b"k"}), OK, {b"b'k'": b"b'v'"})
        yield self.expect(self.c.multi_del(self.hk, {b"k"}), OK, 1)
        yield self.expect(self.c.sort_key_count(self.hk), OK, 0)

    @inlineCallbacks
    def test_multi_get_of_all(self):
        # The client does not send start_inclusive, so the empty sort key is left out.
        yield self.fill("", "a", "b")
        for everything in (None, set()):
            yield self.expect(self.c.multi_get(self.hk, everything), OK, rows("a", "b"))
        yield self.expect(self.c.multi_get(self.hk, {""}), OK, rows(""))

    @inlineCallbacks
    def test_multi_get_limits(self):
        yield self.fill("a", "b", "c")
        yield self.expect(self.c.multi_get(self.hk, None, max_kv_count=2), INCOMPLETE, rows("a", "b"))
        yield self.expect(self.c.multi_get(self.hk, None, max_kv_count=3), OK, rows("a", "b", "c"))
        yield self.expect(self.c.multi_get(self.hk, None, max_kv_count=0, max_kv_size=0), OK, rows("a", "b", "c"))
        # Each row counts three bytes; the one that reaches the limit is still returned.
        yield self.expect(self.c.multi_get(self.hk, None, max_kv_size=4), INCOMPLETE, rows("a", "b"))
        code, found = yield self.c.multi_get(self.hk, {"a", "b", "c"}, max_kv_count=2)
        self.assertEqual((code, len(found)), (INCOMPLETE, 2))
        yield self.expect(self.c.multi_get(self.hk, {"a", "b"}, max_kv_count=2), OK, rows("a", "b"))

    @inlineCallbacks
    def test_default_limit(self):
        names = ["%03d" % i for i in range(101)]
        yield self.fill(*names)
        yield self.expect(self.c.multi_get(self.hk, None), INCOMPLETE, rows(*names[:100]))
        yield self.expect(self.c.get_sort_keys(self.hk, max_kv_count=101), OK, {n.encode(): b"" for n in names})
        yield self.expect(self.c.get_sort_keys(self.hk), INCOMPLETE, {n.encode(): b"" for n in names[:100]})

    def test_wrong_collections(self):
        # Plain tuples and no Deferreds.
        self.assertEqual(self.c.multi_get(self.hk, ["a"]), (INVALID_PARAMETERS, 0))
        self.assertEqual(self.c.multi_del(self.hk, ["a"]), (INVALID_PARAMETERS, 0))

    @inlineCallbacks
    def test_get_sort_keys(self):
        yield self.expect(self.c.get_sort_keys(self.hk), OK, {})
        yield self.fill("", "a", "b")
        yield self.expect(self.c.get_sort_keys(self.hk), OK, {b"a": b"", b"b": b""})

    @inlineCallbacks
    def test_multi_del(self):
        yield self.fill("a", "b", "c")
        yield self.expect(self.c.multi_del(self.hk, {"a", "absent"}), OK, 2)
        yield self.expect(self.c.multi_get(self.hk, None), OK, rows("b", "c"))
        yield self.expect(self.c.multi_del(self.hk, set()), INVALID_ARGUMENT, 0)


class TestRanges(Case, unittest.TestCase):
    def options(self, **fields):
        options = MultiGetOptions()
        self.assertEqual((options.start_inclusive, options.stop_inclusive), (True, False))
        for name, value in fields.items():
            self.assertTrue(hasattr(options, name))
            setattr(options, name, value)
        return options

    @inlineCallbacks
    def test_bounds(self):
        yield self.fill("", "a", "b", "c", "d")
        get = self.c.multi_get_opt
        yield self.expect(get(self.hk, "", "", self.options()), OK, rows("", "a", "b", "c", "d"))
        yield self.expect(get(self.hk, "b", "d", self.options()), OK, rows("b", "c"))
        yield self.expect(get(self.hk, "b", "d", self.options(stop_inclusive=True)), OK, rows("b", "c", "d"))
        yield self.expect(get(self.hk, "b", "d", self.options(start_inclusive=False)), OK, rows("c"))
        yield self.expect(get(self.hk, "b", "b", self.options(stop_inclusive=True)), OK, rows("b"))
        yield self.expect(get(self.hk, "b", "b", self.options()), OK, {})
        yield self.expect(get(self.hk, "d", "b", self.options()), OK, {})

    @inlineCallbacks
    def test_filters(self):
        yield self.fill("abc", "abd", "b", "bab")
        for kind, pattern, want in (
            (filter_type.FT_MATCH_PREFIX, "ab", ("abc", "abd")),
            (filter_type.FT_MATCH_POSTFIX, "b", ("b", "bab")),
            (filter_type.FT_MATCH_ANYWHERE, "ab", ("abc", "abd", "bab")),
            (filter_type.FT_MATCH_ANYWHERE, "", ("abc", "abd", "b", "bab")),
            (filter_type.FT_NO_FILTER, "ignored", ("abc", "abd", "b", "bab")),
        ):
            options = self.options(sortkey_filter_type=kind, sortkey_filter_pattern=pattern)
            yield self.expect(self.c.multi_get_opt(self.hk, "", "", options), OK, rows(*want))
        options = self.options(sortkey_filter_type=9, sortkey_filter_pattern="a")
        yield self.expect(self.c.multi_get_opt(self.hk, "", "", options), INVALID_ARGUMENT, {})

    @inlineCallbacks
    def test_no_value_reverse_and_limits(self):
        yield self.fill("a", "b", "c", "d")
        get = self.c.multi_get_opt
        bare = self.options(no_value=True)
        yield self.expect(get(self.hk, "a", "c", bare), OK, {b"a": b"", b"b": b""})
        yield self.expect(get(self.hk, "", "", self.options(), max_kv_count=3), INCOMPLETE, rows("a", "b", "c"))
        yield self.expect(get(self.hk, "", "", self.options(), max_kv_size=4), INCOMPLETE, rows("a", "b"))
        back = self.options(reverse=True)
        yield self.expect(get(self.hk, "", "", back, max_kv_count=3), INCOMPLETE, rows("b", "c", "d"))
        # The last row taken is the inclusive start: nothing is missing.
        yield self.expect(get(self.hk, "b", "", back, max_kv_count=3), OK, rows("b", "c", "d"))


class TestScanners(Case, unittest.TestCase):
    def options(self, **fields):
        options = ScanOptions()
        self.assertEqual((options.timeout_millis, options.batch_size), (5000, 1000))
        self.assertEqual((options.start_inclusive, options.stop_inclusive), (True, False))
        for name, value in fields.items():
            self.assertTrue(hasattr(options, name))
            setattr(options, name, value)
        return options

    @inlineCallbacks
    def scan(self, start, stop, **fields):
        scanner = self.c.get_scanner(self.hk, start, stop, self.options(**fields))
        found = yield self.read(scanner)
        again = yield scanner.get_next()
        self.assertIsNone(again)
        scanner.close()
        for (hash_key, sort_key), value in found:
            self.assertEqual((hash_key, value), (self.hk, b"v" + sort_key.encode()))
        return [sort_key for (_, sort_key), _ in found]

    @inlineCallbacks
    def test_bounds_and_batches(self):
        yield self.fill("", "a", "b", "c", "d")
        yield self.fill("a", "b", hash_key=self.hk + "0")
        for batch in (1, 2, 1000, 0):
            for start, stop, fields, want in (
                ("", "z", {}, ["", "a", "b", "c", "d"]),
                ("", "z", {"start_inclusive": False}, ["a", "b", "c", "d"]),
                ("b", "d", {}, ["b", "c"]),
                ("b", "d", {"stop_inclusive": True}, ["b", "c", "d"]),
                ("b", "d", {"start_inclusive": False}, ["c"]),
                ("b", "b", {"stop_inclusive": True}, ["b"]),
                ("b", "b", {}, []),
                ("d", "b", {}, []),
                ("e", "z", {}, []),
            ):
                found = yield self.scan(start, stop, batch_size=batch, **fields)
                self.assertEqual(found, want)

    @inlineCallbacks
    def test_no_stop(self):
        yield self.fill("a")
        with self.assertRaises(TypeError):
            self.c.get_scanner(self.hk, "a", "", self.options())

    @inlineCallbacks
    def test_absent_hash_key(self):
        found = yield self.scan("", "z")
        self.assertEqual(found, [])

    @inlineCallbacks
    def test_keys_are_text(self):
        sort_key = b"\xff\xfe"
        yield self.expect(self.c.set(self.hk, sort_key, "v"), OK, None)
        scanner = self.c.get_scanner(self.hk, b"\xff", b"\xff\xff", self.options())
        yield self.assertFailure(scanner.get_next(), UnicodeDecodeError)
        yield self.expect(self.c.remove(self.hk, sort_key), OK, None)

    @inlineCallbacks
    def test_close_early(self):
        yield self.fill("a", "b", "c")
        scanner = self.c.get_scanner(self.hk, "", "z", self.options(batch_size=1, timeout_millis=50))
        row = yield scanner.get_next()
        self.assertEqual(row, ((self.hk, "a"), b"va"))
        scanner.close()
        # The original never answers this call; the client gives it up after its time.
        yield task.deferLater(reactor, 0.2, lambda: None)
        yield self.expect(self.c.get(self.hk, "a"), OK, b"va")

    @inlineCallbacks
    def test_snapshot(self):
        yield self.fill("a", "b", "c")
        scanner = self.c.get_scanner(self.hk, "", "z", self.options(batch_size=1))
        first = yield scanner.get_next()
        yield self.expect(self.c.remove(self.hk, "b"), OK, None)
        yield self.fill("bb", "d")
        rest = yield self.read(scanner)
        self.assertEqual([sk for (_, sk), _ in [first] + rest], ["a", "b", "c"])

    @inlineCallbacks
    def test_unordered(self):
        hash_keys = ["%s-%02d" % (self.hk, i) for i in range(30)]
        for hash_key in hash_keys:
            yield self.fill("a", "b", "c", hash_key=hash_key)
        want = sorted((hk, sk) for hk in hash_keys for sk in "abc")
        for split, count in ((1, 1), (3, 3), (8, 8), (100, 8)):
            for batch in (2, 1000):
                scanners = self.c.get_unordered_scanners(split, self.options(batch_size=batch))
                self.assertEqual(len(scanners), count)
                found = []
                for scanner in scanners:
                    part = yield self.read(scanner)
                    found += [key for key, _ in part if key[0].startswith(self.hk)]
                    scanner.close()
                self.assertEqual(sorted(found), want)
        self.assertIsNone(self.c.get_unordered_scanners(0, self.options()))


class TestClients(unittest.TestCase):
    @inlineCallbacks
    def open(self, metas, table="temp"):
        client = Pegasus(metas, table)
        self.addCleanup(client.close)
        ready = yield client.init()
        return client, ready

    @inlineCallbacks
    def test_the_leader_is_enough(self):
        for metas in [METAS[:1], METAS[1::-1], ["127.0.0.1:1", METAS[0]]]:
            client, ready = yield self.open(metas)
            self.assertTrue(ready)
            answer = yield client.get(self.id(), "absent")
            self.assertEqual(answer, (NOT_FOUND, b""))

    @inlineCallbacks
    def test_a_follower_is_not(self):
        # It names the leader, which this client does not go on to.
        _, ready = yield self.open(METAS[1:2])
        self.assertIsNone(ready)

    @inlineCallbacks
    def test_unknown_table(self):
        _, ready = yield self.open(METAS, "no_such_table")
        self.assertIsNone(ready)


if __name__ == "__main__":
    import unittest as runner

    runner.main()
