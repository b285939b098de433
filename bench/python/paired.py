"""Two ways of doing the same, in turn: what comes of a round is a quotient, and what is reported is the median of many."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Result:
    """What came of rounds: microseconds per call of each, and how many times as long theirs takes as ours."""

    ours_us: float
    theirs_us: float
    #: Theirs over ours: the median of the rounds, the least and the greatest.
    times: float
    least: float
    most: float


def compare(ours: Callable[[int], None], theirs: Callable[[int], None], *, calls: int, rounds: int) -> Result:
    """Runs both, each for so many calls, in turn; who begins changes with each round."""
    ours(max(calls // 10, 1))
    theirs(max(calls // 10, 1))
    mine, other, times = [], [], []
    for at in range(rounds):
        pair = [(ours, mine), (theirs, other)]
        for run, into in pair if at % 2 else pair[::-1]:
            gc.collect()
            gc.disable()
            began = time.perf_counter()
            run(calls)
            into.append((time.perf_counter() - began) / calls * 1e6)
            gc.enable()
        times.append(other[-1] / mine[-1])
    return Result(statistics.median(mine), statistics.median(other), statistics.median(times), min(times), max(times))


def show(name: str, result: Result, *, at_least: float) -> bool:
    """Prints a line, and says whether it is as quick as it is to be."""
    is_met = result.times >= at_least
    print(
        f"{name:58} {result.ours_us:9.1f} {result.theirs_us:9.1f} {result.times:7.2f}"
        f"  ({result.least:.2f} to {result.most:.2f})  {'' if is_met else 'less than '}{at_least:.2f}",
        flush=True,
    )
    return is_met


def head(theirs: str) -> None:
    print(f"\n{'':58} {'ours µs':>9} {'theirs µs':>9} {'times':>7}   against {theirs}")
