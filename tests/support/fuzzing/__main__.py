"""`make fuzz`: every kind of file, 500 truncations and 1,000 flipped bits of each, and more."""

from __future__ import annotations

import argparse
import resource
import sys

import torch

from fuzzing.run import bad, fuzz, table, targets

COUNTS = {"cuts": 500, "flips": 1000, "scrambles": 400, "grafts": 40}
"""How many damages of each kind, for every kind of file."""

SHOWN = 200
MEMORY_GB = 1.0


def main() -> int:
    """Damage, read, judge; print the table and every finding. 1 if there is one, else 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="targets whose name contains this")
    for kind, count in COUNTS.items():
        parser.add_argument(f"--{kind}", type=int, default=count)
    given = parser.parse_args()
    torch.set_num_threads(1)
    verdicts = []
    for target in targets():
        if given.only in target.name:
            counts = {kind: getattr(given, kind) for kind in COUNTS}
            done = fuzz(target, **counts)
            sys.stderr.write(f"{target.name}: {len(done)}, {len(bad(done))} bad\n")
            verdicts += done
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    sys.stdout.write("\n".join([*table(verdicts), "", f"peak memory {peak:.2f} GB", ""]))
    wrong = bad(verdicts)
    for verdict in wrong[:SHOWN]:
        line = f"{verdict.outcome}: {verdict.target} {verdict.recipe}: {verdict.detail}"
        sys.stdout.write(line[:400].replace("\n", " ") + "\n")
    return 1 if wrong or peak > MEMORY_GB else 0


if __name__ == "__main__":
    sys.exit(main())
