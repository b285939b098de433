"""Sends the same random operations, in all three protocols, to memcached and to Charioteer, and compares every reply.

    differential.py MEMCACHED_PORT CHARIOTEER_PORT [OPERATIONS [SEED]]

Versions of items (CAS ids) are numbers that each server chooses: they are compared by the order in which they are first seen, and sent
to each server as its own. memcached must run on one thread and without those that maintain its lists, which hold on to items now and
then, and have it count in a copy. Seconds that pass between two replies may pass between the servers. What COMPAT.md names is in `NAMED`.
"""

import base64
import random
import re
import socket
import struct
import sys
import time

KEYS = [b"k%d" % n for n in range(12)] + [b"x" * 250]
# What no line can hold as it is: binary, and meta as base64.
ODD_KEY = b"a b\1"
# Each with what the meta protocol has to be told of it.
ALL_KEYS = [(key, b"") for key in [*KEYS, b"x" * 186]] + [(base64.b64encode(ODD_KEY), b" b")]
TOO_LONG_KEY = b"y" * 251
# Beyond the limit on items.
TOO_LONG_VALUE = b"v" * (1 << 20)
# Far from each other, so that a second more or less makes no difference.
EXPIRATIONS = [0, 0, 0, 5000, 20000, 2592000, -1, 2592001, 4102444800 // 2]
HEADER = struct.Struct(">BBHBBHIIQ")
NOOP, BARRIER = 0x0A, 0xFFFF_FFFE

# How often everything is flushed, and all items are listed.
FLUSHED_EVERY, LISTED_EVERY = 20_000, 1_000

# Lines that memcached 1.6.18 answers otherwise than 1.6.45, whose words Charioteer has: see COMPAT.md.
NAMED = [
    (rb"ERROR", rb"CLIENT_ERROR bad command line format"),
    (rb"CLIENT_ERROR invalid flag", rb"CLIENT_ERROR bad command line format"),
    (rb"END", rb"CLIENT_ERROR bad command line format"),
]

# Further lines that it adds: it takes a value whose key it refuses for a command.
NAMED_TWO = [b"CLIENT_ERROR bad command line format\r", b"ERROR\r"], [b"CLIENT_ERROR bad command line format\r"]


class Peer:
    """A server, and what its versions of items are called here."""

    def __init__(self, port):
        self.text, self.binary = (socket.create_connection(("127.0.0.1", port)) for _ in range(2))
        for connection in (self.text, self.binary):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(20)
        self.names, self.versions, self.left = {0: 0}, [0], b""

    def name(self, version):
        """The number of a version by the order in which they were seen."""
        if version not in self.names:
            self.names[version] = len(self.versions)
            self.versions.append(version)
        return self.names[version]

    def version(self, name):
        """The version of that number; one that is no item's, where there is none."""
        return self.versions[name] if name < len(self.versions) else 10**15 + name

    def ask_text(self, line):
        self.text.sendall(line + b"mn\r\n")
        reply = b""
        while not (reply == b"MN\r\n" or reply.endswith(b"\nMN\r\n")):
            some = self.text.recv(1 << 20)
            if not some:
                raise ConnectionError(f"hung up behind {line[:100]!r}, having answered {reply[:200]!r}")
            reply += some
        return reply[:-4]

    def ask_binary(self, packet):
        self.binary.sendall(packet + HEADER.pack(0x80, NOOP, 0, 0, 0, 0, 0, BARRIER, 0))
        replies = []
        while True:
            while len(self.left) < 24 or len(self.left) < 24 + struct.unpack_from(">I", self.left, 8)[0]:
                some = self.binary.recv(1 << 20)
                if not some:
                    raise ConnectionError(f"hung up behind {packet[:100]!r}")
                self.left += some
            _, opcode, key, extras, _, status, body, opaque, cas = HEADER.unpack_from(self.left)
            rest, self.left = self.left[24 : 24 + body], self.left[24 + body :]
            if opaque == BARRIER:
                return replies
            replies.append((opcode, status, opaque, self.name(cas), key, extras, rest))


class Version:
    """A version in a request, by its number."""

    def __init__(self, name):
        self.name = name


def value(dice):
    return dice.choice(
        [
            b"%d" % dice.randrange(10 ** dice.randrange(1, 20)),
            b"",
            b"18446744073709551615",
            # Not blanks alone: memcached looks for the number of such a value in the memory behind it.
            b"a" + bytes(dice.choices(b"abcdefgh \r\n\0\xff", k=dice.randrange(40))),
            b"v" * dice.choice([100, 1000, 5000]),
        ]
    )


def number(dice):
    return dice.choice([0, 1, 2, 5, 100, 2**32, 2**63, 2**64 - 1])


def classic(dice, seen):
    """A command of the classic text protocol, in parts."""
    key, expiration = dice.choice(KEYS), dice.choice(EXPIRATIONS)
    noreply = dice.choice([b"", b"", b"", b" noreply"])
    kind = dice.randrange(12)
    if kind < 4:
        verb, data = dice.choice([b"set", b"set", b"add", b"replace", b"append", b"prepend"]), value(dice)
        flags = dice.choice([0, 0, 1, 7, 2**32 - 1])
        return [b"%s %s %d %d %d%s\r\n%s\r\n" % (verb, key, flags, expiration, len(data), noreply, data)]
    if kind == 4:
        data = value(dice)
        return [b"cas %s 0 %d %d " % (key, expiration, len(data)), Version(seen(dice)), b"%s\r\n%s\r\n" % (noreply, data)]
    if kind == 5:
        return [b"%s %s\r\n" % (dice.choice([b"get", b"gets"]), b" ".join(dice.choices(KEYS, k=dice.randrange(1, 6))))]
    if kind == 6:
        keys = b" ".join(dice.choices(KEYS, k=dice.randrange(1, 6)))
        return [b"%s %d %s\r\n" % (dice.choice([b"gat", b"gats"]), expiration, keys)]
    if kind in (7, 8):
        # Never without a reply: see `counts_apart`.
        return [b"%s %s %d\r\n" % (dice.choice([b"incr", b"decr"]), key, number(dice))]
    if kind == 9:
        return [b"delete %s%s\r\n" % (key, noreply)]
    if kind == 10:
        return [b"touch %s %d%s\r\n" % (key, expiration, noreply)]
    return [odd(dice, key)]


def odd(dice, key):
    """A line with something wrong."""
    return dice.choice(
        [
            b"\r\n",
            b"nonsense\r\n",
            b"GET %s\r\n" % key,
            b"get\r\n",
            b"incr %s\r\n" % key,
            b"incr %s x\r\n" % key,
            b"incr %s -1\r\n" % key,
            b"incr %s 18446744073709551616\r\n" % key,
            b"touch %s\r\n" % key,
            b"touch %s x\r\n" % key,
            b"gat 10\r\n",
            b"delete\r\n",
            b"delete %s 0\r\n" % key,
            b"delete %s 10\r\n" % key,
            b"set %s 0 0\r\n" % key,
            b"set %s 0 0 -1\r\n" % key,
            b"verbosity\r\n",
            b"verbosity 0\r\n",
            b"stats nonsense\r\n",
            b"cache_memlimit 1\r\n",
            b"mg\r\n",
            b"mg %s v v\r\n" % key,
            b"mg %s !\r\n" % key,
            b"mg %s T\r\n" % key,
            b"mg %s Tx\r\n" % key,
            b"mg ! b\r\n",
            b"ma %s Dx\r\n" % key,
            b"ma %s Mx\r\n" % key,
            # Of an item that is not there: memcached takes even this for a use of one.
            b"mg missing O%s\r\n" % (b"o" * 32),
            b"mg %s %s\r\n" % (key, b" ".join(b"%c" % letter for letter in b"abcdefghijklmnopqrstuvwxyz")),
            b"ms %s x\r\n" % key,
            b"ms %s 1 Mx\r\n1\r\n" % key,
            b"me\r\n",
            b"me %s\r\n" % key,
            b"me %s b\r\n" % base64.b64encode(dice.choice([key[:180], ODD_KEY])),
            # The rest of a value that is longer than its line says is taken for a command.
            b"set %s 0 0 3\r\nabcdef\r\n" % key,
            b"set %s 0 0 5\r\nabc\r\nxxxxxx\r\n" % key,
            b"ms %s 3 q\r\nabcdef\r\n" % key,
            b"touch %s 0\r\n" % TOO_LONG_KEY,
            b"set %s 0 0 1\r\nx\r\n" % TOO_LONG_KEY,
            b"mg %s v\r\n" % TOO_LONG_KEY,
            b"stats cachedump 64 1\r\n",
            b"stats cachedump 1\r\n",
            b"stats cachedump 1 x\r\n",
            # Few, as they are long.
            *([b"\r\n"] * 20),
            b"set %s 0 0 %d\r\n%s\r\n" % (key, len(TOO_LONG_VALUE), TOO_LONG_VALUE),
            b"add %s 0 0 %d\r\n%s\r\n" % (key, len(TOO_LONG_VALUE), TOO_LONG_VALUE),
            b"ms %s %d q\r\n%s\r\n" % (key, len(TOO_LONG_VALUE), TOO_LONG_VALUE),
        ]
    )


def meta(dice, seen):
    """A command of the meta protocol, in parts."""
    key, verb = dice.choice(KEYS), dice.choice([b"mg", b"mg", b"ms", b"ms", b"md", b"ma"])
    ttl = b"%d" % dice.choice([0, 5000, 20000, -1])
    recache = b"%d" % dice.choice([0, 1000, 9000, -1])
    flags = [[b"k"], [b"k"], [b"q"], [b"O%d" % dice.randrange(100)]]
    if dice.random() < 0.3:
        # With the longest key that fits, which is another one for the text protocol.
        key = base64.b64encode(dice.choice([ODD_KEY, key[:186]]))
        always = [[b"b"]]
    else:
        always = []
    if verb == b"mg":
        flags += [[b"v"], [b"v"], [b"f"], [b"c"], [b"s"], [b"t"], [b"h"], [b"u"], [b"T" + ttl], [b"N" + ttl], [b"R" + recache]]
    elif verb == b"ms":
        mode = dice.choice([b"E", b"A", b"P", b"R", b"S", b"S"])
        flags += [[b"c"], [b"F7"], [b"I"], [b"M" + mode], [b"T" + ttl], [b"C", Version(seen(dice))]]
    elif verb == b"md":
        flags += [[b"I"], [b"T" + ttl], [b"C", Version(seen(dice))]]
    else:
        flags += [[b"v"], [b"t"], [b"c"], [b"D%d" % number(dice)], [b"J%d" % number(dice)], [b"N" + ttl]]
        # Without `T`, which memcached loses where a number becomes longer.
        flags += [[b"M" + dice.choice([b"I", b"D", b"+", b"-"])], [b"C", Version(seen(dice))]]
    chosen = {}
    for flag in always + dice.sample(flags, k=dice.randrange(min(7, len(flags)))):
        chosen.setdefault(flag[0][:1], flag)
    # memcached tells of a counter that it makes also where it is asked not to: see COMPAT.md.
    if verb == b"ma" and b"N" in chosen:
        chosen.pop(b"q", None)
    parts, data = [verb + b" " + key], value(dice)
    if verb == b"ms":
        parts.append(b" %d" % len(data))
    for flag in chosen.values():
        parts += [b" ", *flag]
    parts.append(b"\r\n" + (data + b"\r\n" if verb == b"ms" else b""))
    return parts


def binary(dice, seen):
    """A request of the binary protocol: opcode, version, extras, key and value."""
    key, expiration = dice.choice([*KEYS, ODD_KEY]), dice.choice([0, 0, 5000, 20000, 2592001])
    quiet = dice.random() < 0.3
    cas = seen(dice) if dice.random() < 0.2 else 0
    kind = dice.randrange(10)
    if kind < 3:
        extras = struct.pack(">II", dice.choice([0, 1, 0xDEADBEEF]), expiration)
        return dice.choice([0x01, 0x02, 0x03]) + 0x10 * quiet, cas, extras, key, value(dice)
    if kind == 3:
        return dice.choice([0x0E, 0x0F]) + 0x0B * quiet, cas, b"", key, value(dice)
    if kind in (4, 5):
        return dice.choice([0x00, 0x09, 0x0C, 0x0D]), 0, b"", key, b""
    if kind == 6:
        create = dice.choice([0xFFFFFFFF, 0, 5000])
        extras = struct.pack(">QQI", number(dice), number(dice), create)
        return dice.choice([0x05, 0x06]) + 0x10 * quiet, cas, extras, key, b""
    if kind == 7:
        return 0x04 + 0x10 * quiet, cas, b"", key, b""
    if kind == 8:
        return dice.choice([0x1C, 0x1D, 0x1E, 0x23, 0x24]), 0, struct.pack(">I", expiration), key, b""
    return dice.choice([0x0A, 0x0D, 0x70, 0x1B]), 0, b"", b"", b""


def packet(peer, opcode, cas, extras, key, data, opaque):
    if opcode == 0x0D and not key:
        key = b"k0"
    body = extras + key + data
    return HEADER.pack(0x80, opcode, len(key), len(extras), 0, 0, len(body), opaque, peer.version(cas)) + body


def pipeline(dice, seen):
    """Several commands that are sent at once."""
    commands = [dice.choice([classic, meta])(dice, seen) for _ in range(dice.randrange(2, 8))]
    # memcached takes a value whose key it refuses for a command, and counts in a copy of an item that a reply still holds: see COMPAT.md.
    commands = [parts for parts in commands if b" %s " % TOO_LONG_KEY not in parts[0]]
    if any(parts[0].startswith((b"get", b"gat", b"mg")) for parts in commands):
        commands = [parts for parts in commands if not parts[0].startswith((b"incr", b"decr", b"ma"))]
    return [part for parts in commands for part in parts]


def line(peer, parts):
    return b"".join(b"%d" % peer.version(part.name) if isinstance(part, Version) else part for part in parts)


NUMBERED = re.compile(rb"^(VALUE \S+ \d+ \d+) (\d+)\r$|( c| cas=)(\d+)(?=[ \r])", re.MULTILINE)
SECONDS = re.compile(rb" (?:t|la=|exp=-)(\d+)(?=[ \r])")
# There is one class of memory; and Charioteer writes keys that would break a line as base64, whatever they were stored as.
CLASS = re.compile(rb" cls=\d+")
ODD_TOLD = [(b" k" + ODD_KEY, b" k" + base64.b64encode(ODD_KEY) + b" b"), (b"ME " + ODD_KEY, b"ME " + base64.b64encode(ODD_KEY))]


def heads(reply):
    """The lines of a reply that are no value, and the values."""
    found = []
    while reply:
        head, _, reply = reply.partition(b"\r\n")
        found.append(head + b"\r")
        words = head.split(b" ")
        length = int(words[3]) if words[0] == b"VALUE" else int(words[1]) if words[0] == b"VA" else None
        if length is not None:
            found.append(reply[:length])
            reply = reply[length + 2 :]
    return found


def plain(peer, reply):
    """A reply with the versions by their numbers."""
    replace = lambda match: (match[1] or match[3]) + b" #%d" % peer.name(int(match[2] or match[4]))
    return [NUMBERED.sub(replace, told(part)) if part.endswith(b"\r") else part for part in heads(reply)]


def told(head):
    for raw, text in ODD_TOLD:
        head = head.replace(raw, text)
    return CLASS.sub(b"", head)


def is_same(theirs, ours):
    if theirs == ours:
        return True
    if len(theirs) != len(ours):
        return False
    for one, other in zip(theirs, ours):
        # memcached tells seconds below 0 as numbers without a sign.
        one = re.sub(rb" t42949\d{5}(?=[ \r])", b" t0", one)
        seconds = [[int(found) for found in SECONDS.findall(part)] for part in (one, other)]
        is_close = len(seconds[0]) == len(seconds[1]) and all(abs(a - b) <= 3 for a, b in zip(*seconds))
        if not (is_close and SECONDS.sub(b" t", one) == SECONDS.sub(b" t", other)):
            return False
    return True


def is_named(theirs, ours):
    if (theirs, ours) == NAMED_TWO:
        return True
    lines = [(a + b"\r", b + b"\r") for a, b in NAMED]
    return len(theirs) == len(ours) and all(
        is_same([one], [other]) or (one, other) in lines for one, other in zip(theirs, ours)
    )


NO_NUMBER = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r", 6


def counts_apart(peers, theirs, ours, is_one):
    """Whether memcached has refused to count in a number of 2^63 or more, as it does where the memory behind it happens to hold a minus."""
    refusals = lambda replies: sum((reply[1] if isinstance(reply, tuple) else reply) in NO_NUMBER for reply in replies)
    if refusals(theirs) <= refusals(ours):
        return False
    values = [peers[0].ask_text(b"mg %s v%s\r\n" % key) for key in ALL_KEYS]
    values = [value.split(b"\r\n")[1].strip() for value in values if value.startswith(b"VA ")]
    # In a pipeline it may have been replaced since.
    return not is_one or any(value.isdigit() and 2**63 <= int(value) < 2**64 for value in values)


def begin_anew(peers):
    """Deletes all items, so that nothing follows from a difference."""
    for peer in peers:
        peer.ask_text(b"".join(b"md %s q%s\r\n" % key for key in ALL_KEYS))
    count = max(len(peer.versions) for peer in peers)
    for peer in peers:
        peer.versions += [10**15 + name for name in range(len(peer.versions), count)]


ITEM = re.compile(rb"ITEM (\S+) \[(\d+) b; (\d+) s\]\r")


def listed(peer, classes):
    """The items that `stats cachedump` tells: how long their values are, and when they end."""
    found = {}
    for number in classes:
        for key, length, end in ITEM.findall(peer.ask_text(b"stats cachedump %d 0\r\n" % number)):
            found[key] = int(length), int(end)
    return found


def compare_lists(peers):
    """Whether both list the same items. memcached lists the dead too."""
    theirs, ours = listed(peers[0], range(1, 64)), listed(peers[1], [1])
    theirs = {key: told for key, told in theirs.items() if peers[0].ask_text(b"mg %s u\r\n" % key) == b"HD\r\n"}
    ours = {key: told for key, told in ours.items() if peers[1].ask_text(b"mg %s u\r\n" % key) == b"HD\r\n"}
    same = theirs.keys() == ours.keys() and all(
        theirs[key][0] == ours[key][0] and abs(theirs[key][1] - ours[key][1]) <= 3 for key in theirs
    )
    return same, theirs, ours


def main():
    ports = [int(port) for port in sys.argv[1:3]]
    operations = int(sys.argv[3]) if len(sys.argv) > 3 else 200_000
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(2**32)
    print(f"{operations} operations, seed {seed}", flush=True)
    dice, peers = random.Random(seed), [Peer(port) for port in ports]
    differences, named = 0, 0
    # Mostly a version that was seen of late, which may still be an item's.
    seen = lambda dice: max(0, len(peers[0].versions) - dice.choice([1, 1, 2, 3, 5, 10]))
    for step in range(operations):
        kind = dice.choice([0, 0, 1, 1, 2, 2, 3])
        if step % FLUSHED_EVERY == FLUSHED_EVERY - 1:
            # What is stored in the second of a flush may be kept, and seconds begin at another time on each server.
            time.sleep(2.1)
            request = [dice.choice([b"flush_all\r\n", b"flush_all 0\r\n"])]
            theirs, ours = (peer.ask_text(request[0]) for peer in peers)
            time.sleep(1.1)
            same = theirs == ours
        elif step % LISTED_EVERY == LISTED_EVERY - 1:
            request = [b"stats cachedump"]
            same, theirs, ours = compare_lists(peers)
        elif kind == 2:
            request = binary(dice, seen)
            theirs, ours = (peer.ask_binary(packet(peer, *request, step % 1000)) for peer in peers)
            same = theirs == ours
        else:
            request = (classic, meta, None, pipeline)[kind](dice, seen)
            theirs, ours = (plain(peer, peer.ask_text(line(peer, request))) for peer in peers)
            same = is_same(theirs, ours)
            if not same and is_named(theirs, ours):
                named += 1
                continue
        if not same and counts_apart(peers, theirs, ours, kind != 3):
            begin_anew(peers)
            named += 1
            continue
        if not same:
            differences += 1
            shown = [part.name if isinstance(part, Version) else part for part in request]
            told = f"step {step}: {shown}\n  memcached:  {theirs}\n  charioteer: {ours}"
            print(told[:5000], flush=True)
            if differences >= 20:
                break
    print(f"{differences} differences, {named} of those that COMPAT.md names")
    sys.exit(differences > 0)


main()
