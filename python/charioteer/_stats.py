"""What a client has done, as `call_stats` and `net_stats` tell it."""

from typing import NamedTuple


class CallStats(NamedTuple):
    """What a client has done of one kind of call."""

    #: Calls that have ended, well or not.
    calls: int
    #: Calls that ended with an error.
    errors: int
    #: Attempts beyond each call's first.
    retries: int


class NetStats(NamedTuple):
    """What the connections of a client have seen."""

    #: Connections that came about.
    connections_opened: int
    #: Connections that ended otherwise than by being closed by this client.
    connections_lost: int
    #: Attempts to connect that came to nothing.
    dials_failed: int
    #: Calls that were given up before they were sent.
    cut_before_send: int
    #: Calls that were given up between being sent and being answered.
    cut_in_flight: int
    #: Calls that were given up when their answer was there already.
    cut_after_reply: int
    #: Answers that came when nobody waited for them any more.
    late_replies: int
    #: Answers that nobody had asked for.
    unasked_replies: int
    #: Batches of requests that were written.
    writes: int
