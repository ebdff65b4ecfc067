"""Damages files of every kind that the program reads, thousands of times, and looks whether it survives.

    python packaging/fuzz.py --mutations 10000 --seed 0
    python packaging/fuzz.py --kind roll --case 17        # one case again, its files left in ./hostile-case

A damaged file may be refused in one sentence or be read. It must not crash the process, hang, fill the memory, write outside its
folder, start a program or raise anything else. The exit status is 1 when one did.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.hostile.targets import TARGETS  # noqa: E402 - the checkout has to be found first
from tests.hostile.watch import Tally, attack  # noqa: E402

_HEAD = f"{'kind':<20}{'mutations':>10}{'refused':>9}{'accepted':>10}{'findings':>10}{'CPU s':>9}{'worst ms':>10}{'worst MiB':>11}"


def main() -> int:
    """Runs the attack and prints the table; 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--mutations", type=int, default=10_000, metavar="N", help="damaged files in all (default 10000)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="other seeds, other damage (default 0)")
    parser.add_argument("--kind", action="append", choices=tuple(TARGETS), metavar="KIND", help=", ".join(TARGETS))
    parser.add_argument("--case", type=int, metavar="N", help="read one case of one kind again")
    arguments = parser.parse_args()
    kinds = arguments.kind or list(TARGETS)
    if arguments.case is not None:
        return _again(kinds[0], arguments.seed, arguments.case)
    whole = sum(TARGETS[kind].share for kind in kinds)
    print(_HEAD, flush=True)
    tallies = []
    for kind in kinds:
        count = max(1, -(-arguments.mutations * TARGETS[kind].share // whole))
        tallies.append(attack(kind, arguments.seed, 0, count))
        print(_line(tallies[-1]), flush=True)
    total = Tally("all")
    for tally in tallies:
        total.refused += tally.refused
        total.accepted += tally.accepted
        total.spent_s += tally.spent_s
        total.worst_s = max(total.worst_s, tally.worst_s)
        total.worst_bytes = max(total.worst_bytes, tally.worst_bytes)
        total.findings += tally.findings
    print(_line(total))
    for finding in total.findings:
        print(f"\n{finding.kind}, case {finding.number} of seed {arguments.seed}:\n{finding.words}")
    return 1 if total.findings else 0


def _again(kind: str, seed: int, number: int) -> int:
    folder = Path("hostile-case")
    folder.mkdir(exist_ok=True)
    for name, content in TARGETS[kind].case(seed, number).items():
        (folder / name).write_bytes(content)
    tally = attack(kind, seed, number, number + 1)
    print(_line(tally))
    for finding in tally.findings:
        print(finding.words)
    return 1 if tally.findings else 0


def _line(tally: Tally) -> str:
    return (
        f"{tally.kind:<20}{tally.cases:>10}{tally.refused:>9}{tally.accepted:>10}{len(tally.findings):>10}"
        f"{tally.spent_s:>9.1f}{1000 * tally.worst_s:>10.0f}{tally.worst_bytes / 2**20:>11.0f}"
    )


if __name__ == "__main__":
    sys.exit(main())
