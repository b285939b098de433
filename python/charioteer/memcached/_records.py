"""What memcached's client gives beside values."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = [
    "Count",
    "Hit",
    "Inspected",
    "Item",
    "ItemFacts",
    "ServerChange",
]


class Count(int):
    """What a counter has come to: a number, which knows its version."""

    #: The version that the item has with this number; 0 where the protocol does not tell.
    cas: int

    def __new__(cls, value: int, cas: int = 0) -> Count:
        count = super().__new__(cls, value)
        count.cas = cas
        return count


class Item(NamedTuple):
    """An item as it is stored."""

    #: The value as the client's codec reads it.
    value: Any
    #: The flags that were stored with it.
    flags: int
    #: Its version; 0 where the protocol does not tell.
    cas: int


class ItemFacts(NamedTuple):
    """What is known of an item."""

    #: Whether it had been got before.
    hit_before: bool
    #: For how many seconds it had not been used.
    idle: float
    #: For how many seconds it is still kept; `None` if it does not expire.
    remaining: float | None
    #: How long its value is; how much memory it takes, where it was inspected.
    size: int


class Hit(NamedTuple):
    """An item, and who is to store a new value for it."""

    #: The value as the client's codec reads it; `None` for a placeholder.
    value: Any
    #: The flags that were stored with it.
    flags: int
    #: Its version.
    cas: int
    #: Whether this caller is to store a new value.
    won: bool
    #: Whether the item was invalidated.
    stale: bool
    #: Whether somebody else is to store a new value.
    already_won: bool
    #: Whether it has no value yet.
    is_placeholder: bool
    #: What is known of it, if it was asked for.
    facts: ItemFacts | None


class Inspected(NamedTuple):
    """What is known of an item that was not got."""

    #: The facts.
    facts: ItemFacts
    #: Its version.
    cas: int
    #: The number of its slab class.
    slab_class: int


class ServerChange(NamedTuple):
    """What has become of a server."""

    #: The server as it was written in the options.
    server: str
    #: `down`, `up`, `added` or `removed`.
    change: str
