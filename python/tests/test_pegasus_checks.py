"""Counters, and writes that depend on what is there."""

from __future__ import annotations

import math

import pytest

import charioteer
from charioteer import pegasus
from charioteer.pegasus import Check, Mutation


def test_counters_count_and_keep_their_time_to_live(table: pegasus.Table, key: bytes) -> None:
    assert table.incr(key, b"n") == 1
    assert table.incr(key, b"n", 41, ttl=100) == 42
    left = table.ttl(key, b"n")
    assert table.incr(key, b"n", -2) == 40
    assert left is not None and left <= 100
    assert table.ttl(key, b"n") != math.inf
    table.incr(key, b"n", ttl=None)
    assert table.ttl(key, b"n") == math.inf
    table.set(key, b"text", b"no number")
    with pytest.raises(charioteer.InvalidArgument):
        table.incr(key, b"text")
    with pytest.raises(ValueError, match="keep"):
        table.incr(key, b"n", ttl="forever")  # type: ignore[arg-type]


def test_a_check_decides_whether_a_row_is_set(table: pegasus.Table, key: bytes) -> None:
    made = table.check_and_set(key, b"a", Check.not_exist(), b"a", b"5", return_check_value=True)
    assert made == (True, None)
    kept = table.check_and_set(key, b"a", Check.int_greater(5), b"b", b"x", return_check_value=True)
    assert kept == (False, b"5")
    assert table.check_and_set(key, b"a", Check.int_greater_or_equal(5), b"b", b"x", ttl=50).applied
    assert table.get(key, b"b") == b"x"


def test_mutations_are_made_together(table: pegasus.Table, key: bytes) -> None:
    table.set(key, b"old", b"1")
    changes = [Mutation.set(b"new", b"2", ttl=100), Mutation.delete(b"old")]
    assert table.check_and_mutate(key, b"old", Check.exist(), changes).applied
    assert table.multi_get(key, [b"old", b"new"]).rows == {b"new": b"2"}
    assert not table.check_and_mutate(key, b"old", Check.exist(), changes).applied


def test_values_are_exchanged_where_they_are_what_is_expected(table: pegasus.Table, key: bytes) -> None:
    assert table.compare_exchange(key, b"", None, b"1") == (True, None)
    assert table.compare_exchange(key, b"", None, b"2") == (False, b"1")
    assert table.compare_exchange(key, b"", b"1", b"2") == (True, b"1")
    assert table.get(key, b"") == b"2"


def test_conditions_are_compared_and_shown() -> None:
    assert Check.match_prefix(b"a") == Check.match_prefix(b"a") != Check.match_prefix(b"b")
    assert "MatchPrefix" in repr(Check.match_prefix(b"a"))
    assert Mutation.delete(b"a") == Mutation.delete(b"a")
    assert pegasus.Filter.prefix(b"20").matches(b"2026")
