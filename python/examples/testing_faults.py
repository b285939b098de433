"""How a program bears what a cluster does to it: a server for tests with faults and a clock."""

import charioteer
from charioteer import pegasus
from charioteer.testing import TestServer


def main() -> None:
    with TestServer(nodes=3) as server, pegasus.Client(server.pegasus_url) as client:
        table = client.open_table("temp")
        with server.pegasus.inject("answer", error="ERR_BUSY", on="get", times=2) as busy:
            table.get(b"alice", b"city")
            print("a busy server was asked again, after", busy.hits, "refusals")

        with server.pegasus.inject("cut_reply", on="incr", times=1):
            try:
                table.incr(b"alice", b"visits")
            except charioteer.Error as error:
                print("retryable:", error.retryable, "outcome:", error.outcome)

        table.set(b"alice", b"session", b"open", ttl=60)
        server.clock.advance(61)
        print("a minute later:", table.get(b"alice", b"session"))


if __name__ == "__main__":
    main()
