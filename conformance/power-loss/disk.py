"""A model of a file system that knows what was synced and what was not, as strictly as POSIX reads.

To sync a file makes its content durable, not the entry that names it; to sync a folder makes its
entries durable, not what they name.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Generic, Protocol, TypeVar

PAGE = 4096
_ZEROS = bytes(PAGE)


class Content:
    """The bytes of a file; pages of zeros take no space."""

    def __init__(self, size: int = 0, pages: dict[int, bytes] | None = None) -> None:
        self.size = size
        self.pages: dict[int, bytes] = pages or {}

    def copy(self) -> Content:
        return Content(self.size, dict(self.pages))

    def write(self, offset: int, data: bytes) -> None:
        for number, within, piece in pieces(offset, data):
            old = self.pages.get(number, _ZEROS)
            self._put(number, old[:within] + piece + old[within + len(piece) :])
        self.size = max(self.size, offset + len(data))

    def resize(self, size: int) -> None:
        if size < self.size:
            last, within = divmod(size, PAGE)
            self.pages = {number: page for number, page in self.pages.items() if number <= last}
            if last in self.pages:
                self._put(last, self.pages[last][:within].ljust(PAGE, b"\0"))
        self.size = size

    def digest(self) -> int:
        return hash((self.size, frozenset(self.pages.items())))

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            for number, page in sorted(self.pages.items()):
                file.seek(number * PAGE)
                file.write(page)
            file.truncate(self.size)

    def _put(self, number: int, page: bytes) -> None:
        if page == _ZEROS:
            self.pages.pop(number, None)
        else:
            self.pages[number] = page


def pieces(offset: int, data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """What a write puts into each page: the page's number, the offset within it, the bytes."""
    start = 0
    while start < len(data):
        number, within = divmod(offset + start, PAGE)
        end = min(len(data), start + PAGE - within)
        yield number, within, data[start:end]
        start = end


@dataclass(frozen=True)
class Write:
    """Bytes that were written and not synced."""

    offset: int
    data: bytes

    def apply(self, content: Content) -> None:
        content.write(self.offset, self.data)


@dataclass(frozen=True)
class Resize:
    """A size that was set and not synced."""

    size: int

    def apply(self, content: Content) -> None:
        content.resize(self.size)


@dataclass(frozen=True)
class Naming:
    """Entries of one folder that were set, or removed (None), at one instant and not synced."""

    serial: int
    entries: dict[str, Node | None]

    def apply(self, names: dict[str, Node]) -> None:
        for name, node in self.entries.items():
            if node is None:
                names.pop(name, None)
            else:
                names[name] = node


Change = TypeVar("Change")


@dataclass
class Pending(Generic[Change]):
    """Changes since the last sync. A sync takes those that were there when it began, and may end after other ones came in."""

    changes: list[Change] = field(default_factory=list)
    synced: int = 0

    def mark(self) -> int:
        return self.synced + len(self.changes)

    def take(self, mark: int) -> list[Change]:
        count = max(0, mark - self.synced)
        taken, self.changes = self.changes[:count], self.changes[count:]
        self.synced += count
        return taken


class File:
    """A file: what is durable of it, and what was done to it since."""

    def __init__(self) -> None:
        self.durable = Content()
        self.pending: Pending[Write | Resize] = Pending()
        self.size = 0

    def write(self, offset: int, data: bytes) -> None:
        if data:
            self.pending.changes.append(Write(offset, data))
            self.size = max(self.size, offset + len(data))

    def resize(self, size: int) -> None:
        self.pending.changes.append(Resize(size))
        self.size = size

    def sync(self, mark: int) -> None:
        for change in self.pending.take(mark):
            change.apply(self.durable)


class Folder:
    """A folder: the entries that are durable, those there now, and the changes between."""

    serials = itertools.count(1)

    def __init__(self) -> None:
        self.durable: dict[str, Node] = {}
        self.now: dict[str, Node] = {}
        self.pending: Pending[Naming] = Pending()

    def name(self, entries: dict[str, Node | None]) -> None:
        naming = Naming(next(self.serials), entries)
        naming.apply(self.now)
        self.pending.changes.append(naming)

    def sync(self, mark: int) -> None:
        for naming in self.pending.take(mark):
            naming.apply(self.durable)


Node = File | Folder


class Loss(Protocol):
    """What a power loss leaves of changes that were not synced."""

    def entries(self, folder: Folder) -> dict[str, Node]: ...

    def content(self, file: File) -> Content: ...


class Strict:
    """Nothing that was not synced is left."""

    def entries(self, folder: Folder) -> dict[str, Node]:
        return folder.durable

    def content(self, file: File) -> Content:
        return file.durable


class EntriesAhead:
    """All names and set sizes are left, and no unsynced content."""

    def entries(self, folder: Folder) -> dict[str, Node]:
        return folder.now

    def content(self, file: File) -> Content:
        content = file.durable.copy()
        for change in file.pending.changes:
            if isinstance(change, Resize):
                change.apply(content)
        return content


class Torn:
    """Of each file the first of its unsynced writes are left, the last of them cut; of all names the first that were set."""

    def __init__(self, random: Random, root: Folder) -> None:
        self._random = random
        serials = [naming.serial for folder in folders(root) for naming in folder.pending.changes]
        self._last = random.choice([0, *serials])

    def entries(self, folder: Folder) -> dict[str, Node]:
        names = dict(folder.durable)
        for naming in folder.pending.changes:
            if naming.serial <= self._last:
                naming.apply(names)
        return names

    def content(self, file: File) -> Content:
        content = file.durable.copy()
        whole = self._random.randint(0, len(file.pending.changes))
        for change in file.pending.changes[:whole]:
            change.apply(content)
        for change in file.pending.changes[whole : whole + 1]:
            if isinstance(change, Write):
                content.write(change.offset, change.data[: self._random.randint(0, len(change.data))])
        return content


class OutOfOrder:
    """Any of the names and any of the pages are left, whichever came first.

    A page is written back whole, so that what is left of it is what it held at one time.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        # A single page that is missing amid many is the harder case, and would hardly come by even chances.
        self._share = random.choice([0.5, 0.9, 0.98])

    def entries(self, folder: Folder) -> dict[str, Node]:
        names = dict(folder.durable)
        for naming in folder.pending.changes:
            if self._random.random() < self._share:
                naming.apply(names)
        return names

    def content(self, file: File) -> Content:
        content = file.durable.copy()
        left = self._left(file)
        for change in file.pending.changes:
            if isinstance(change, Resize):
                change.apply(content)
                continue
            for number, within, piece in pieces(change.offset, change.data):
                if left[number] > 0:
                    left[number] -= 1
                    content.write(number * PAGE + within, piece)
        return content

    def _left(self, file: File) -> dict[int, int]:
        """How many of the pieces written to each page are left."""
        counts: dict[int, int] = defaultdict(int)
        for change in file.pending.changes:
            if isinstance(change, Write):
                for number, _, _ in pieces(change.offset, change.data):
                    counts[number] += 1
        return {number: self._pieces_left(count) for number, count in counts.items()}

    def _pieces_left(self, count: int) -> int:
        if self._random.random() < self._share:
            return count
        return self._random.choice([0, self._random.randint(0, count)])


def folders(root: Folder) -> Iterator[Folder]:
    """A folder and those in it, as they are now or durably; those in both come twice."""
    yield root
    for node in (*root.now.values(), *(node for name, node in root.durable.items() if root.now.get(name) is not node)):
        if isinstance(node, Folder):
            yield from folders(node)


class Image:
    """A tree of files that a power loss has left."""

    def __init__(self, root: Folder, loss: Loss) -> None:
        self.folders: list[str] = []
        self.files: dict[str, Content] = {}
        self._gather(root, loss, "")

    def _gather(self, folder: Folder, loss: Loss, path: str) -> None:
        self.folders.append(path)
        for name, node in loss.entries(folder).items():
            if isinstance(node, Folder):
                self._gather(node, loss, f"{path}{name}/")
            else:
                self.files[path + name] = loss.content(node)

    def digest(self) -> int:
        return hash((frozenset(self.folders), frozenset((path, content.digest()) for path, content in self.files.items())))

    def save(self, path: Path) -> None:
        for folder in self.folders:
            (path / folder).mkdir()
        for name, content in self.files.items():
            content.save(path / name)
