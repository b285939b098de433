"""What becomes of values: a codec makes bytes and flags of a value, and the value of bytes and flags.

Without a codec values are bytes. Any object with these two methods is one; those here do what other programs do, so that both read the
same items.
"""

from __future__ import annotations

import json
import pickle
from typing import Any, Protocol

from charioteer._charioteer.memcached import _pack, _unpack

__all__ = ["Codec", "Json", "MessagePack", "Pymemcache", "Text"]


class Codec(Protocol):
    """What becomes of values."""

    def encode(self, value: Any, /) -> tuple[bytes, int]:
        """The bytes that are stored for a value, and their flags."""

    def decode(self, value: bytes, flags: int, /) -> Any:
        """The value that was stored so. `ValueError` when it is none of this codec's."""


class Text:
    """Texts, in UTF-8, with the flags 0."""

    def encode(self, value: str, /) -> tuple[bytes, int]:
        return value.encode(), 0

    def decode(self, value: bytes, flags: int, /) -> str:
        return value.decode()


class Json:
    """Whatever JSON can say, in UTF-8, with the flags 0."""

    def encode(self, value: Any, /) -> tuple[bytes, int]:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), 0

    def decode(self, value: bytes, flags: int, /) -> Any:
        return json.loads(value)


class MessagePack:
    """Whatever MessagePack can say, as the Go client gomemcached stores it, with the flags 1."""

    FLAGS = 1

    def encode(self, value: Any, /) -> tuple[bytes, int]:
        return _pack(value), self.FLAGS

    def decode(self, value: bytes, flags: int, /) -> Any:
        if flags != self.FLAGS:
            raise ValueError("the value was not stored as MessagePack")
        return _unpack(value)


class Pymemcache:
    """Bytes, texts, integers, and anything else pickled, as pymemcache's `serde`, python-memcached and pylibmc store them.

    Reading a pickle can run whatever its writer likes: only for servers that nobody else can write to.
    """

    PICKLE, INTEGER, LONG, ZLIB, TEXT = 1, 2, 4, 8, 16

    def encode(self, value: Any, /) -> tuple[bytes, int]:
        if type(value) is bytes:
            return value, 0
        if type(value) is str:
            return value.encode(), self.TEXT
        if type(value) is int:
            return str(value).encode(), self.INTEGER
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL), self.PICKLE

    def decode(self, value: bytes, flags: int, /) -> Any:
        if flags & self.ZLIB:
            import zlib

            value, flags = zlib.decompress(value), flags & ~self.ZLIB
        if flags == 0:
            return value
        if flags & self.TEXT:
            return value.decode()
        if flags & (self.INTEGER | self.LONG):
            return int(value)
        if flags & self.PICKLE:
            return pickle.loads(value)
        raise ValueError(f"the flags {flags:#x} are none of these clients'")
