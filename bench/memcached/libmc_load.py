"""Loads a memcached through libmc, as the Rust program beside it does through other clients, and prints the same line of JSON."""

import argparse
import json
import random
import time

import libmc

WARM_UP = 0.2


def item(number):
    """The item of that number, the same as in the Rust program."""
    key = "item:{:010}:{:016x}".format(number, number * 0x9E3779B97F4A7C15 % (1 << 64))
    return key, (key[::-1] * 4)[:100].encode()


class Load:
    """Calls about some items at a time."""

    def __init__(self, options):
        self.client = libmc.Client([options.server])
        self.client.config(libmc.MC_POLL_TIMEOUT, 5000)
        items = [item(number) for number in range(options.items)]
        # What a call is about is made before, as a program that has it would not make it again.
        starts = random.sample(range(options.items + 1 - options.keys), 500)
        self.parts = [dict(items[start : start + options.keys]) for start in starts]
        self.keys = [list(part) for part in self.parts]
        self.call = {"get": self.get, "set": self.set}[options.work]

    def get(self, at):
        if self.client.get_multi(self.keys[at]) != self.parts[at]:
            raise SystemExit("an item has another value; was the server filled?")

    def set(self, at):
        if not self.client.set_multi(self.parts[at]):
            raise SystemExit("an item was not set")

    def until(self, end):
        """Makes calls until then, and says how many."""
        calls = 0
        while time.monotonic() < end:
            self.call(calls % len(self.parts))
            calls += 1
        return calls


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--work", choices=["get", "set"], default="get")
    for name, least in [("--keys", 1), ("--items", 1000)]:
        parser.add_argument(name, type=int, default=least)
    parser.add_argument("--seconds", type=float, default=1.0)
    # One call at a time on one connection is all there is; that it is asked for keeps the programs' options alike.
    for name in ["--client", "--callers", "--connections"]:
        parser.add_argument(name)
    options = parser.parse_args()
    load = Load(options)
    load.until(time.monotonic() + WARM_UP)
    begin, used = time.monotonic(), time.process_time()
    keys = load.until(begin + options.seconds) * options.keys
    elapsed, used = time.monotonic() - begin, time.process_time() - used
    print(json.dumps({"keys_per_second": keys / elapsed, "client_us": used * 1e6 / keys, "server_us": None, "others": None}))


main()
