"""Reads what `strace -f -y -xx` wrote, as system calls that begin and end."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path

_LINE = re.compile(r"(\d+) +(.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
_UNFINISHED = re.compile(r" ?<unfinished \.\.\.>$")
_CALL = re.compile(r"(\w+)\(")
_DESCRIPTOR = re.compile(r"(-?\d+|AT_FDCWD|0x[0-9a-f]+)(?:<([^>]*)>)?")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


class TraceError(Exception):
    """The trace holds what this program cannot account for."""


class Phase(Enum):
    """A call has an effect somewhere between its begin and its end."""

    BEGIN = 1
    END = 2


@dataclass(frozen=True)
class Descriptor:
    """A file descriptor as strace prints it: its number (None for the working directory) and its path."""

    number: int | None
    path: str | None


@dataclass
class Call:
    """One system call. Its result is None as long as it is not known, or when there is none."""

    line: int
    name: str
    text: str
    result: int | None = None

    @cached_property
    def arguments(self) -> list[str]:
        """The arguments as text. Those that are structs fall into pieces, which nobody here looks at."""
        return self.text.split(", ")

    def descriptor(self, index: int) -> Descriptor:
        match = _DESCRIPTOR.match(self.arguments[index])
        if match is None:
            raise TraceError(f"line {self.line}: argument {index} of {self.name} is no descriptor")
        number, path = match.groups()
        decoded = None if path is None else unescape(path).decode()
        return Descriptor(None if number == "AT_FDCWD" else int(number, 0), decoded)

    def string(self, index: int) -> bytes:
        strings = self._strings(self.arguments[index])
        if len(strings) != 1:
            raise TraceError(f"line {self.line}: argument {index} of {self.name} is no string")
        return strings[0]

    def strings(self) -> list[bytes]:
        """All strings in all arguments."""
        return self._strings(self.text)

    def number(self, index: int) -> int:
        return int(self.arguments[index], 0)

    def flags(self, index: int) -> set[str]:
        return set(self.arguments[index].split("|"))

    def _strings(self, text: str) -> list[bytes]:
        found = list(_STRING.finditer(text))
        if any(match[2] for match in found):
            raise TraceError(f"line {self.line}: a string of {self.name} was cut; strace needs a larger -s")
        return [unescape(match[1]) for match in found]

    def __str__(self) -> str:
        named = (unescape(text).decode(errors="replace") for text in re.findall(r'[<"]((?:\\x[0-9a-f]{2})+)[>"]', self.text[:2000]))
        return f"{self.name} {' '.join(name for name in named if name.startswith('/'))}".strip()


def unescape(text: str) -> bytes:
    """The bytes of a text that is written in hexadecimal all through."""
    return bytes.fromhex(text.replace("\\x", ""))


def escape(text: str) -> str:
    """How strace -xx writes a text."""
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def read(trace: Path) -> Iterator[tuple[Phase, Call]]:
    """All calls in the order in which they began and ended."""
    under_way: dict[str, Call] = {}
    with trace.open() as lines:
        for number, line in enumerate(lines, 1):
            match = _LINE.match(line.rstrip("\n"))
            if match is None:
                raise TraceError(f"line {number} has no process id")
            thread, rest = match.groups()
            yield from _events(number, thread, rest, under_way)


def _events(number: int, thread: str, rest: str, under_way: dict[str, Call]) -> Iterator[tuple[Phase, Call]]:
    resumed = _RESUMED.match(rest)
    if resumed is not None:
        call = under_way.pop(thread)
        tail, call.result = _result(rest[resumed.end() :])
        call.text += tail
        yield Phase.END, call
        return
    begin = _CALL.match(rest)
    if begin is None:  # A signal, or the end of a thread.
        return
    unfinished = _UNFINISHED.search(rest, max(0, len(rest) - 20))
    if unfinished is not None:
        call = under_way[thread] = Call(number, begin[1], rest[begin.end() : unfinished.start()])
        yield Phase.BEGIN, call
        return
    text, result = _result(rest[begin.end() :])
    call = Call(number, begin[1], text, result)
    yield Phase.BEGIN, call
    yield Phase.END, call


def _result(text: str) -> tuple[str, int | None]:
    """Parts `arguments) = result` into the two."""
    arguments, _, result = text.rpartition(" = ")
    number = _DESCRIPTOR.match(result)
    return arguments.rstrip().removesuffix(")"), None if number is None else int(number[1], 0)
