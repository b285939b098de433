"""Applies the system calls of a trace to the model of a file system."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath

from disk import File, Folder, Node
from strace import Call, Phase, TraceError, escape

# Calls that may name a watched file and change nothing that a power loss could take back.
_HARMLESS = {
    *("access", "chdir", "chmod", "execve", "faccessat", "faccessat2", "fadvise64", "fchmod", "fchmodat", "fcntl"),
    *("flock", "fstat", "fstatfs", "getcwd", "getdents64", "ioctl", "lstat", "newfstatat", "pread64", "preadv"),
    *("readlink", "readlinkat", "stat", "statfs", "statx", "utimensat"),
}


@dataclass
class Opened:
    """An open file: what several descriptors may share."""

    node: Node
    appends: bool = False
    offset: int = 0


@dataclass(frozen=True)
class Sync:
    """A sync of a file or folder, as it begins and as it has ended."""

    call: Call
    phase: Phase


class Machine:
    """A process and its files, as far as they lie under one folder, which is empty at first.

    Syncs of paths that match `forgotten` do nothing, as on a disk that lies.
    """

    def __init__(self, watched: PurePosixPath, forgotten: str = "") -> None:
        self.root = Folder()
        self.acknowledged: list[str] = []
        self._watched = watched
        self._forgotten = forgotten
        self._mark = escape(str(watched))
        self._opened: dict[int, Opened] = {}
        self._marks: dict[int, int] = {}

    def take(self, phase: Phase, call: Call) -> Iterator[Sync]:
        """Applies a call; a sync is told as it begins and, after it was applied, as it has ended."""
        if call.name in ("fsync", "fdatasync"):
            yield from self._sync(phase, call)
        elif call.name == "close":
            # Once it begins, another thread may be given the same number.
            if phase is Phase.BEGIN:
                self._opened.pop(call.descriptor(0).number or 0, None)
        elif phase is Phase.END and call.result is not None and call.result >= 0:
            self._apply(call)

    def _apply(self, call: Call) -> None:
        handler: Callable[[Call], None] | None = getattr(self, f"_do_{call.name}", None)
        if handler is not None:
            handler(call)
        elif call.name.startswith("io_uring") or (call.name not in _HARMLESS and self._mark in call.text):
            raise TraceError(f"line {call.line}: {call.name} on a watched file is not known here")

    # Syncs

    def _sync(self, phase: Phase, call: Call) -> Iterator[Sync]:
        opened = self._descriptor(call, 0)
        if opened is None or fnmatch(call.descriptor(0).path or "", self._forgotten):
            return
        if phase is Phase.BEGIN:
            self._marks[id(call)] = opened.node.pending.mark()
            yield Sync(call, phase)
            return
        if call.result != 0:
            raise TraceError(f"line {call.line}: {call} failed")
        opened.node.sync(self._marks.pop(id(call)))
        yield Sync(call, phase)

    # Descriptors

    def _descriptor(self, call: Call, index: int) -> Opened | None:
        descriptor = call.descriptor(index)
        opened = None if descriptor.number is None else self._opened.get(descriptor.number)
        if opened is None and descriptor.path is not None and self._within(PurePosixPath(descriptor.path)) is not None:
            raise TraceError(f"line {call.line}: {call.name} on a descriptor that was never opened")
        return opened

    def _file(self, call: Call, index: int) -> tuple[Opened, File] | None:
        opened = self._descriptor(call, index)
        if opened is None or isinstance(opened.node, Folder):
            return None
        return opened, opened.node

    def _do_open(self, call: Call) -> None:
        self._open(call, self._path(call, 0), call.flags(1))

    def _do_creat(self, call: Call) -> None:
        self._open(call, self._path(call, 0), {"O_CREAT", "O_TRUNC"})

    def _do_openat(self, call: Call) -> None:
        self._open(call, self._path_at(call, 0), call.flags(2))

    def _open(self, call: Call, path: PurePosixPath | None, flags: set[str]) -> None:
        if call.result is None or path is None:
            return
        if "O_TMPFILE" in flags:
            raise TraceError(f"line {call.line}: O_TMPFILE is not known here")
        node = self._find(path)
        if node is None and "O_CREAT" in flags:
            node = File()
            self._parent(call, path).name({path.name: node})
        elif isinstance(node, File) and "O_TRUNC" in flags and node.size > 0:
            node.resize(0)
        if node is None:
            raise TraceError(f"line {call.line}: {path} was opened and never created")
        self._opened[call.result] = Opened(node, "O_APPEND" in flags)

    def _do_dup(self, call: Call) -> None:
        opened = self._descriptor(call, 0)
        if opened is not None and call.result is not None:
            self._opened[call.result] = opened

    _do_dup2 = _do_dup3 = _do_dup

    def _do_fcntl(self, call: Call) -> None:
        if call.arguments[1].startswith("F_DUPFD"):
            self._do_dup(call)
        elif call.arguments[1] == "F_SETFL" and self._descriptor(call, 0) is not None:
            raise TraceError(f"line {call.line}: F_SETFL on a watched file is not known here")

    def _do_lseek(self, call: Call) -> None:
        opened = self._descriptor(call, 0)
        if opened is not None and call.result is not None:
            opened.offset = call.result

    def _do_read(self, call: Call) -> None:
        opened = self._opened.get(call.descriptor(0).number or 0)
        if opened is not None and call.result is not None:
            opened.offset += call.result

    _do_readv = _do_read

    def _do_mmap(self, call: Call) -> None:
        if self._mark in call.text and "MAP_SHARED" in call.text and "PROT_WRITE" in call.text:
            raise TraceError(f"line {call.line}: writing through a mapping is not known here")

    # Contents

    def _do_write(self, call: Call) -> None:
        # Standard output has what the writer acknowledges.
        data = b"".join(call.strings())[: call.result]
        target = self._file(call, 0)
        if target is not None:
            opened, file = target
            opened.offset = file.size if opened.appends else opened.offset
            file.write(opened.offset, data)
            opened.offset += len(data)
        elif call.descriptor(0).number == 1:
            self.acknowledged.extend(data.decode(errors="replace").splitlines())

    _do_writev = _do_write

    def _do_pwrite64(self, call: Call) -> None:
        target = self._file(call, 0)
        if target is not None:
            opened, file = target
            # Linux appends whatever the offset says.
            file.write(file.size if opened.appends else call.number(3), call.string(1)[: call.result])

    def _do_ftruncate(self, call: Call) -> None:
        target = self._file(call, 0)
        if target is not None:
            target[1].resize(call.number(1))

    def _do_truncate(self, call: Call) -> None:
        path = self._path(call, 0)
        node = None if path is None else self._find(path)
        if isinstance(node, File):
            node.resize(call.number(1))

    def _do_fallocate(self, call: Call) -> None:
        target = self._file(call, 0)
        if target is None:
            return
        if call.number(1) != 0:
            raise TraceError(f"line {call.line}: fallocate with a mode is not known here")
        end = call.number(2) + call.number(3)
        if end > target[1].size:
            target[1].resize(end)

    # Names

    def _do_mkdir(self, call: Call) -> None:
        self._name(call, self._path(call, 0), Folder())

    def _do_mkdirat(self, call: Call) -> None:
        self._name(call, self._path_at(call, 0), Folder())

    def _do_unlink(self, call: Call) -> None:
        self._name(call, self._path(call, 0), None)

    _do_rmdir = _do_unlink

    def _do_unlinkat(self, call: Call) -> None:
        self._name(call, self._path_at(call, 0), None)

    def _do_link(self, call: Call) -> None:
        self._link(call, self._path(call, 0), self._path(call, 1))

    def _do_linkat(self, call: Call) -> None:
        self._link(call, self._path_at(call, 0), self._path_at(call, 2))

    def _do_rename(self, call: Call) -> None:
        self._rename(call, self._path(call, 0), self._path(call, 1))

    def _do_renameat(self, call: Call) -> None:
        self._rename(call, self._path_at(call, 0), self._path_at(call, 2))

    def _do_renameat2(self, call: Call) -> None:
        if "RENAME_EXCHANGE" in call.text:
            raise TraceError(f"line {call.line}: exchanging names is not known here")
        self._do_renameat(call)

    def _name(self, call: Call, path: PurePosixPath | None, node: Node | None) -> None:
        if path is not None:
            self._parent(call, path).name({path.name: node})

    def _link(self, call: Call, old: PurePosixPath | None, new: PurePosixPath | None) -> None:
        node = self._find(old) if old is not None else None
        if (node is None) != (new is None):
            raise TraceError(f"line {call.line}: {call} crosses the border of what is watched")
        self._name(call, new, node)

    def _rename(self, call: Call, old: PurePosixPath | None, new: PurePosixPath | None) -> None:
        if old is None and new is None:
            return
        node = self._find(old) if old is not None else None
        if node is None or old is None or new is None:
            raise TraceError(f"line {call.line}: {call} crosses the border of what is watched")
        if old.parent == new.parent:
            self._parent(call, new).name({old.name: None, new.name: node})
        else:
            self._parent(call, new).name({new.name: node})
            self._parent(call, old).name({old.name: None})

    # Paths, from here on relative to the watched folder; None is outside.

    def _path(self, call: Call, index: int) -> PurePosixPath | None:
        path = PurePosixPath(os.fsdecode(call.string(index)))
        if not path.is_absolute():
            raise TraceError(f"line {call.line}: {call.name} of the relative path {path}")
        return self._within(path)

    def _path_at(self, call: Call, index: int) -> PurePosixPath | None:
        folder = call.descriptor(index).path
        return self._within(PurePosixPath(folder or "/") / os.fsdecode(call.string(index + 1)))

    def _within(self, path: PurePosixPath) -> PurePosixPath | None:
        return path.relative_to(self._watched) if path.is_relative_to(self._watched) else None

    def _find(self, path: PurePosixPath) -> Node | None:
        node: Node | None = self.root
        for part in path.parts:
            if not isinstance(node, Folder):
                return None
            node = node.now.get(part)
        return node

    def _parent(self, call: Call, path: PurePosixPath) -> Folder:
        parent = self._find(path.parent)
        if not isinstance(parent, Folder):
            raise TraceError(f"line {call.line}: {path.parent} was never created")
        return parent
