"""What errors are, apart from what raises them."""

from __future__ import annotations

import copy
import pickle

import pytest

import charioteer
from charioteer import errors, pegasus


def test_errors_are_what_python_has_for_them_too() -> None:
    assert issubclass(charioteer.Timeout, TimeoutError)
    assert issubclass(charioteer.Unavailable, ConnectionError)
    assert issubclass(charioteer.InvalidArgument, ValueError)
    assert issubclass(charioteer.InvalidConfig, ValueError)


def test_every_kind_has_a_class_of_its_own() -> None:
    classes = [getattr(charioteer, name) for name in errors.__all__ if name != "Error"]
    assert len({cls.kind for cls in classes}) == len(classes)
    assert all(issubclass(cls, charioteer.Error) for cls in classes)


@pytest.mark.parametrize("cls", [charioteer.Timeout, charioteer.Unavailable, charioteer.InvalidArgument, charioteer.Busy])
def test_errors_are_copied_and_sent_to_other_processes(cls: type[charioteer.Error]) -> None:
    error = cls("too slow", retryable=True, outcome="unknown", operation="set", peer="host:1", attempts=3, elapsed=0.5)
    for copied in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(copied) is cls
        assert str(copied) == "too slow"
        assert vars(copied) == vars(error)


def test_those_that_clients_raise_are_sent_too(client: pegasus.Client) -> None:
    with pytest.raises(charioteer.NotFound) as raised:
        client.open_table("no such table")
    copied = pickle.loads(pickle.dumps(raised.value))
    assert type(copied) is charioteer.NotFound
    assert (str(copied), copied.collection) == (str(raised.value), "no such table")
