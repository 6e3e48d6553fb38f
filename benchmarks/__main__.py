"""Measure and print, misses included."""

from __future__ import annotations

import argparse

from tabulate import tabulate

from . import sessions, store


def main() -> None:
    """Entry point of `make bench`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="counted rounds, at least 7")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 1000, 10_000])
    options = parser.parse_args()
    rounds = max(7, options.rounds)

    medians, gaps = sessions.measure(rounds)
    floor, local = medians["bare hardened container"], medians["local kernel"]
    print(f"\nFrom the wish for a kernel to its first result (medians of {rounds}, interleaved)\n")
    rows = [
        [name, f"{taken:.3f}", f"{taken / floor:.2f}", f"{taken / local:.2f}"]
        for name, taken in medians.items()
    ]
    print(tabulate(rows, ["path", "s", "/ bare container", "/ local kernel"]))
    print("\nThe original system: claimed 1-2 s for a container; not measured to first result.")
    ratio = medians["session over REST, docker"] / floor
    print(f"Goal: session over REST at most 1.3 of the bare container: {verdict(ratio, 1.3)}")
    print("\nLongest times the server's event loop was not free while sessions started and ended")
    for name, worst in gaps.items():
        print(f"  {name}: {', '.join(map(str, worst))} ms")
        if "idle" not in name:
            print(f"    goal: never over 20 ms: {verdict(worst[0], 20)}")

    sizes = store.measure(tuple(options.sizes), max(rounds, 30))
    print("\nIn process, ms (medians)\n")
    smallest = min(sizes)
    head = [
        "projects",
        "create",
        "get",
        "list 100",
        f"create / at {smallest}",
        f"get / at {smallest}",
    ]
    table = [
        [
            number,
            *(f"{taken[name] * 1e3:.2f}" for name in ("create", "get", "list 100")),
            *(f"{taken[name] / sizes[smallest][name]:.2f}" for name in ("create", "get")),
        ]
        for number, taken in sizes.items()
    ]
    table.append(["original, measured", "72 at 1,000; 385 at 5,000", "", "51 at 1,000", "", ""])
    table.append(["original, claimed", "100", "", "", "", ""])
    print(tabulate(table, head))
    largest = sizes[max(sizes)]
    print(f"Goal: create and get under 5 ms: {verdict(largest['create'] * 1e3, 5)}, ", end="")
    print(f"{verdict(largest['get'] * 1e3, 5)}; list under 10 ms: ", end="")
    print(verdict(largest["list 100"] * 1e3, 10))

    print("\nRead of a file of 1 KiB in the workspace, open-read-close in Python, us (medians)\n")
    reads = sessions.reads(500)
    host = reads["host"]
    rows = [[name, f"{taken * 1e6:.1f}", f"{taken / host:.2f}"] for name, taken in reads.items()]
    print(tabulate(rows, ["where", "us", "/ host"]))
    print("The original system: claimed 36 us.")


def verdict(value: float, goal: float) -> str:
    """`value`, and whether it is within `goal`."""
    return f"{value:.2f} ({'reached' if value <= goal else 'MISSED'})"


if __name__ == "__main__":
    main()
