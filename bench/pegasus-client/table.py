"""Reads what `run` has measured, a line of JSON for each load, and prints the table of medians and ratios."""

import json
import sys
from collections import defaultdict
from statistics import median

# A load's figures and how they are written.
FIGURES = [
    ("ops_per_second", "/s", "{:.0f}"),
    ("p50_us", "p50 µs", "{:.0f}"),
    ("p99_us", "p99 µs", "{:.0f}"),
    ("cpu_us_per_operation", "CPU µs", "{:.2f}"),
    ("allocations_per_operation", "allocs", "{:.2f}"),
]
HEAD = ["work", "callers", "client"] + [name for _, name, _ in FIGURES]
HEAD += ["server µs", "others", "ratio of /s", "of p50", "of p99", "of CPU"]
RATIOS = ["p50_us", "p99_us", "cpu_us_per_operation"]


def load(line):
    """One load, with what the server and other processes took meanwhile, the warm-up included."""
    line = json.loads(line)
    figures, ticks = line["figures"], line["ticks"]
    busy, total, server, clients = (after - before for before, after in zip(ticks[:4], ticks[4:]))
    figures["others"] = max(0, busy - server - clients) / max(1, total)
    # The client's share is known exactly for what was measured; what the server spent beside it is in proportion.
    figures["server"] = figures["cpu_us_per_operation"] * server / max(1, clients)
    return (figures["work"], figures["callers"]), line["client"], line["round"], figures


def ratios(rounds, bases, figure):
    """The ratios round by round; none for a figure that is not there, or to itself."""
    if rounds is bases:
        return []
    pairs = [(rounds[number][figure], bases[number][figure]) for number in rounds]
    return [of / to for of, to in pairs if of is not None and to]


def row(kind, client, rounds, bases):
    """A client's line in the table."""
    cells = [kind[0], str(kind[1]), client]
    for figure, _, form in FIGURES:
        values = [figures[figure] for figures in rounds.values() if figures[figure] is not None]
        cells.append(form.format(median(values)) if values else "")
    cells.append("{:.2f}".format(median(figures["server"] for figures in rounds.values())))
    others = [figures["others"] for figures in rounds.values()]
    cells.append("{:.0%} ({:.0%})".format(median(others), max(others)))
    speed = ratios(rounds, bases, "ops_per_second")
    cells.append("{:.2f} ({:.2f} to {:.2f})".format(median(speed), min(speed), max(speed)) if speed else "")
    for figure in RATIOS:
        values = ratios(rounds, bases, figure)
        cells.append("{:.2f}".format(median(values)) if values else "")
    return cells


def main():
    """Groups the loads by kind and client, in the order in which they came first; the first client is what others are compared with."""
    kinds = defaultdict(lambda: defaultdict(dict))
    for line in sys.stdin:
        kind, client, number, figures = load(line)
        kinds[kind][client][number] = figures
    rows = [HEAD]
    for kind, clients in kinds.items():
        bases = next(iter(clients.values()))
        rows += [row(kind, client, rounds, bases) for client, rounds in clients.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for cells in rows:
        print("  ".join(cell.rjust(width) if at != 2 else cell.ljust(width) for at, (cell, width) in enumerate(zip(cells, widths))))


main()
