"""Reads what `run` has measured, a line of JSON for each load, and prints tables of medians and ratios, and which bounds hold."""

import json
import sys
from collections import defaultdict
from statistics import median


def middle(values, form):
    """The median as text, or nothing where there is none."""
    values = [value for value in values if value is not None]
    return form.format(median(values)) if values else ""


def pairs(of, to):
    """The ratios of figures of the same rounds."""
    return [of[number] / to[number] for number in of if number in to]


def spread(values):
    """A median with its least and most."""
    return "{:.2f} ({:.2f} to {:.2f})".format(median(values), min(values), max(values)) if values else ""


def speeds(rounds):
    return {number: figures["keys_per_second"] for number, figures in rounds.items()}


def best(clients):
    """The most that any of some clients came to, round by round."""
    rounds = defaultdict(float)
    for client in clients:
        for number, speed in speeds(client).items():
            rounds[number] = max(rounds[number], speed)
    return rounds


def print_table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for cells in rows:
        print("  ".join(cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(zip(cells, widths))).rstrip())
    print()


def print_loads(kind, clients, base):
    """All that were measured in one kind of load."""
    rows = [[kind, "keys/s", "client µs", "server µs", "others", "of " + base]]
    for name, rounds in clients.items():
        figures = rounds.values()
        cells = [name, middle([load["keys_per_second"] for load in figures], "{:.0f}")]
        cells += [middle([load[figure] for load in figures], "{:.2f}") for figure in ("client_us", "server_us")]
        cells.append(middle([load["others"] for load in figures], "{:.0%}"))
        is_base = name == base or base not in clients
        rows.append(cells + ["" if is_base else spread(pairs(speeds(rounds), speeds(clients[base])))])
    print_table(rows)


def client_bounds(kind, clients):
    """What our client, on each runtime, is to be compared with: what, the ratios, the bound."""
    rivals = [rounds for name, rounds in clients.items() if name != "raw" and not name.startswith("charioteer")]
    of_raw = {"client mixed 1 64": 0.6, "client mixed 1 1": 0.85}.get(kind)
    of_rivals = {"client mixed 1 64": 4.0, "client get 50 1": 1.2, "client set 50 1": 1.2}.get(kind)
    for name, rounds in clients.items():
        if not name.startswith("charioteer"):
            continue
        if of_raw and "raw" in clients:
            yield f"{kind}: {name} / raw", pairs(speeds(rounds), speeds(clients["raw"])), of_raw, True
        if of_rivals and rivals:
            yield f"{kind}: {name} / best of the others", pairs(speeds(rounds), best(rivals)), of_rivals, True


def bounds(kinds):
    for kind, clients in kinds.items():
        if kind.startswith("client"):
            yield from client_bounds(kind, clients)
        elif kind.startswith("server") and len(clients) == 2:
            yield f"{kind}: charioteer / memcached", pairs(speeds(clients["charioteer"]), speeds(clients["memcached"])), 0.9, True
        elif kind == "memory":
            each = {name: rounds[1]["after"] / rounds[1]["items"] for name, rounds in clients.items()}
            yield "memory: charioteer / memcached", [each["charioteer"] / each["memcached"]], 1.25, False


def print_memory(servers):
    rows = [["memory", "items", "resident bytes/item", "grown by", "empty, MB"]]
    for name, rounds in servers.items():
        load = rounds[1]
        each = [load["after"] / load["items"], (load["after"] - load["before"]) / load["items"]]
        rows.append([name, str(load["items"]), *("{:.1f}".format(value) for value in each), "{:.1f}".format(load["before"] / 1e6)])
    print_table(rows)


def main():
    """Groups the loads by kind and client, in the order in which they came first."""
    kinds = defaultdict(lambda: defaultdict(dict))
    for line in sys.stdin:
        load = json.loads(line)
        kinds[load["kind"]][load["name"]][load["round"]] = load["figures"]
    for kind, clients in kinds.items():
        if kind == "memory":
            print_memory(clients)
        else:
            print_loads(kind, clients, "raw" if kind.startswith("client") else "memcached")
    rows = [["ratio", "median (least to most)", "bound", ""]]
    for what, values, bound, is_least in bounds(kinds):
        holds = values and (median(values) >= bound if is_least else median(values) <= bound)
        rows.append([what, spread(values), ("≥ " if is_least else "≤ ") + str(bound), "holds" if holds else "missed"])
    print_table(rows)


main()
