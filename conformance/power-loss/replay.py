"""Replays the trace of a writer, and has a checker open what a power loss would have left.

At every sync, as it begins and as it has ended, four images are made of what the disk may hold
(see `disk.py`), and the checker is told how far writes had been acknowledged by then.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from random import Random

from calls import Machine, Sync
from disk import EntriesAhead, Image, Loss, OutOfOrder, Strict, Torn
from strace import Phase, read

# The exit code when images failed, apart from Python's own for programs that failed.
FAILED = 3
# How many images may wait for the checker while the next ones are made.
_WAITING = 4


@dataclass(frozen=True)
class Case:
    """An image, as the checker is asked about it: its folder, and the store's within."""

    image: Path
    store: Path
    kind: str
    moment: str
    acknowledged: int


class Checker:
    """A process that answers a line for each line it is given."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, case: Case) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{case.store} {case.acknowledged}\n")

    def answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip() or "bad: the checker is gone"

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Verdicts:
    """What the checker said, image by image."""

    def __init__(self, checker: Checker) -> None:
        self.checked = 0
        self.failed = 0
        self.reasons: Counter[str] = Counter()
        self._checker = checker
        self._waiting: deque[Case] = deque()

    def ask(self, case: Case) -> None:
        self._checker.ask(case)
        self._waiting.append(case)
        if len(self._waiting) > _WAITING:
            self._take()

    def finish(self) -> None:
        while self._waiting:
            self._take()
        self._checker.stop()

    def _take(self) -> None:
        case = self._waiting.popleft()
        answer = self._checker.answer()
        self.checked += 1
        shutil.rmtree(case.image)
        if not answer.startswith("ok"):
            self.failed += 1
            self.reasons[f"{case.kind}: {re.sub(r'[0-9]+', 'N', answer.replace(str(case.store), 'STORE'))}"] += 1
            print(f"{case.image.name}, {case.moment}, acknowledged {case.acknowledged}: {answer}", file=sys.stderr)


class Replay:
    """Walks through a trace and says what its syncs would leave."""

    def __init__(self, machine: Machine, store: str, folder: Path, seed: int) -> None:
        self._machine = machine
        self._store = store
        self._folder = folder
        self._random = Random(seed)
        self._seen: set[tuple[int, int]] = set()
        self._made = 0
        self.moments = 0

    def images(self, trace: Path, share: float, only: set[str]) -> Iterator[tuple[Case, Image]]:
        """The images at the given share of the moments, as they are not yet made."""
        for phase, call in read(trace):
            for sync in self._machine.take(phase, call):
                self.moments += 1
                if int(self.moments * share) > int((self.moments - 1) * share):
                    yield from self._cut_power(sync, only)

    def _cut_power(self, sync: Sync, only: set[str]) -> Iterator[tuple[Case, Image]]:
        moment = f"{'before' if sync.phase is Phase.BEGIN else 'after'} {sync.call} (line {sync.call.line})"
        root = self._machine.root
        losses: dict[str, Loss] = {
            "strict": Strict(),
            "entries ahead": EntriesAhead(),
            "torn": Torn(self._random, root),
            "out of order": OutOfOrder(self._random),
        }
        for kind, loss in losses.items():
            image = Image(root, loss)
            if (not only or kind in only) and self._is_new(image):
                self._made += 1
                path = self._folder / f"{self._made:05}-{kind.replace(' ', '-')}"
                yield Case(path, path / self._store, kind, moment, synced(self._machine.acknowledged)), image

    def _is_new(self, image: Image) -> bool:
        key = (image.digest(), synced(self._machine.acknowledged))
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new


def synced(acknowledged: list[str]) -> int:
    """The last step that was acknowledged as synced, which covers all before it."""
    steps = (line.split() for line in acknowledged)
    return max((int(number) for word, level, number in steps if (word, level) == ("ack", "fsync")), default=0)


def count_moments(trace: Path) -> int:
    """About how many moments a trace has: each sync begins and ends."""
    with trace.open("rb") as lines:
        return 2 * sum(b"sync(" in line[:24] for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path, help="what strace -f -y -xx wrote")
    parser.add_argument("--store", type=PurePosixPath, required=True, help="the folder that the writer was given")
    parser.add_argument("--images", type=int, default=sys.maxsize, help="make about as many images at most")
    parser.add_argument("--seed", type=int, default=1, help="of the kinds of loss that are random")
    parser.add_argument("--forget", default="", help="a pattern of paths whose syncs do nothing, to see images fail")
    parser.add_argument("--only", action="append", default=[], help="a kind of loss, and no other")
    parser.add_argument("--work", type=Path, required=True, help="where images are made")
    parser.add_argument("--make", type=int, help="make the image of this number, with all options as before, and check nothing")
    parser.add_argument("--checker", nargs="+", default=[], help="the command that checks images")
    options = parser.parse_args()

    share = min(1.0, options.images / max(1, 4 * count_moments(options.trace)))
    replay = Replay(Machine(options.store.parent, options.forget), options.store.name, options.work, options.seed)
    images = replay.images(options.trace, share, set(options.only))
    if options.make is not None:
        case, image = next(islice(images, options.make - 1, None))
        image.save(case.image)
        print(f"{case.store} {case.acknowledged}")
        return 0

    verdicts = Verdicts(Checker(options.checker))
    for case, image in images:
        image.save(case.image)
        verdicts.ask(case)
    verdicts.finish()
    for reason, count in verdicts.reasons.most_common():
        print(f"  {count} x {reason}")
    print(f"power loss: {verdicts.checked} images of {replay.moments} moments, {verdicts.failed} failed")
    return FAILED if verdicts.failed or not verdicts.checked else 0


if __name__ == "__main__":
    sys.exit(main())
