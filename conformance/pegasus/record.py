#!/usr/bin/env python3
"""Turns a capture of Pegasus traffic into golden vectors.

Capture while a client works, as root, with Debian's tcpdump:

    tcpdump -i lo -B 65536 -U -w go.pcap 'tcp portrange 34601-34603 or tcp portrange 34801-34803'

then

    record.py go.pcap --client go --origin 'go-client of 2022-06-17, captured with tcpdump' >go.txt

Requests and responses are matched by connection and sequence number. One
exchange is kept for each RPC and outcome: the longest within --limit bytes,
which shows the most fields; one without a short example is left out. A capture,
unlike a proxy, leaves every address in the answers as the server wrote it.
"""

import argparse
import re
import struct
import sys

ROCKSDB = {0: "ok", 1: "not found", 4: "invalid argument", 7: "incomplete", 13: "try again"}
SHORT = re.compile(r"^RPC_(?:RRDB_RRDB|CM)_|^RPC_")


def packets(capture):
    """Yields the link-layer frames of a classic pcap file."""
    magic = capture.read(4)
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}.get(magic)
    if order is None:
        sys.exit("not a pcap file of microsecond resolution")
    *_, link = struct.unpack(order + "HHiIII", capture.read(20))
    if link != 1:
        sys.exit(f"link type {link}, want 1, as the loopback interface has")
    while header := capture.read(16):
        _, _, captured, whole = struct.unpack(order + "IIII", header)
        data = capture.read(captured)
        if captured == whole:
            yield data


def segments(capture):
    """Yields (sender, receiver, flags, sequence number, payload) of IPv4 TCP."""
    for frame in packets(capture):
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        ip = frame[14:]
        ip = ip[: struct.unpack(">H", ip[2:4])[0] or len(ip)]  # 0: segmentation offload
        tcp = ip[(ip[0] & 15) * 4 :]
        source, target, sequence = struct.unpack(">HHI", tcp[:8])
        yield (ip[12:16], source), (ip[16:20], target), tcp[13], sequence, tcp[(tcp[12] >> 4) * 4 :]


def streams(capture):
    """Puts each direction of each connection back together, in order of appearance."""
    done, live = [], {}
    for source, target, flags, sequence, payload in segments(capture):
        key = source, target
        if flags & 2:  # SYN: a new connection, perhaps on a port used before
            live[key] = {"at": sequence + 1, "late": {}, "bytes": bytearray(), "ends": key}
            done.append(live[key])
        stream = live.get(key)
        if stream is None or not payload:
            continue
        stream["late"][sequence] = payload
        while (piece := stream["late"].pop(stream["at"], None)) is not None:
            stream["bytes"] += piece
            stream["at"] = (stream["at"] + len(piece)) & 0xFFFFFFFF
    return done


def string(data, at):
    size = struct.unpack_from(">i", data, at)[0]
    return data[at + 4 : at + 4 + size], at + 4 + size


def message(data, at):
    """Name, sequence number and the place behind a strict message head."""
    name, at = string(data, at + 4)
    return name.decode(), struct.unpack_from(">i", data, at)[0], at + 4


def requests(data):
    at = 0
    while at + 48 <= len(data) and data[at : at + 4] == b"THFT":
        version = struct.unpack_from(">I", data, at + 4)[0]
        if version == 0:
            head, body = 48, struct.unpack_from(">I", data, at + 16)[0]
        else:
            meta, body = struct.unpack_from(">II", data, at + 8)
            head = 16 + meta
        frame = bytes(data[at : at + head + body])
        if len(frame) < head + body:
            return
        name, number, _ = message(frame, head)
        yield name, number, frame
        at += head + body


def responses(data):
    at = 0
    while at + 4 <= len(data):
        size = struct.unpack_from(">i", data, at)[0]
        frame = bytes(data[at : at + size])
        if size < 4 or len(frame) < size:
            return
        error, behind = string(frame, 4)
        name, number, behind = message(frame, behind)
        yield name, number, frame, outcome(error.decode(), frame, behind)
        at += size


def outcome(error, frame, at):
    """Names the frame's error or, if there is none, the one that the result starts with."""
    if error != "ERR_OK":
        return "frame " + error
    if frame[at : at + 6] == b"\x0c\x00\x00\x08\x00\x01":
        code = struct.unpack_from(">i", frame, at + 6)[0]
        return ROCKSDB.get(code, f"error {code}")
    if frame[at : at + 6] == b"\x0c\x00\x00\x0c\x00\x01":
        name = string(frame, at + 6)[0].decode()
        return "ok" if name == "ERR_OK" else name
    return "ok"


def exchanges(capture):
    """Yields (rpc, outcome, request, response or None)."""
    every = streams(capture)
    by_ends = {}
    for stream in every:
        by_ends.setdefault(stream["ends"], []).append(stream)
    for stream in every:
        if stream["bytes"][:4] != b"THFT":
            continue
        source, target = stream["ends"]
        turn = by_ends[source, target].index(stream)
        back = by_ends.get((target, source), [])
        answers = {}
        if turn < len(back):
            for name, number, frame, result in responses(back[turn]["bytes"]):
                answers[name, number] = frame, result
        for name, number, frame in requests(stream["bytes"]):
            answer, result = answers.get((name + "_ACK", number), (None, "no answer"))
            yield name, result, frame, answer


def block(name, origin, kind, rpc, frame):
    lines = "\n ".join(re.findall(".{1,120}", frame.hex()))
    return f"name: {name}_{kind}\norigin: {origin}\nkind: {kind}\nrpc: {rpc}\nhex: {lines}\n"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("capture", type=argparse.FileType("rb"))
    arguments.add_argument("--client", required=True, help="first word of each vector's name")
    arguments.add_argument("--origin", required=True, help="client, version and how it was captured")
    arguments.add_argument("--server", default="charioteer", help="who wrote the answers")
    arguments.add_argument("--limit", type=int, default=1000, help="bytes of a request or response")
    options = arguments.parse_args()
    best = {}
    for rpc, result, request, response in exchanges(options.capture):
        # A call abandoned by its caller says nothing; CLEAR_SCANNER has no answer at all.
        if response is None and not rpc.endswith("CLEAR_SCANNER"):
            continue
        size = max(len(request), len(response or b""))
        if size <= options.limit and size > best.get((rpc, result), (0,))[0]:
            best[rpc, result] = size, request, response
    blocks = []
    for (rpc, result), (_, request, response) in sorted(best.items()):
        name = re.sub("[^a-z0-9]+", "_", f"{options.client} {SHORT.sub('', rpc)} {result}".lower())
        blocks.append(block(name, options.origin, "request", rpc, request))
        if response is not None:
            origin = f"{options.server}'s answer, taken by the {options.origin}"
            blocks.append(block(name, origin, "response", rpc, response))
    print("\n".join(blocks), end="")


if __name__ == "__main__":
    main()
