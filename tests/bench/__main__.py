"""Measure ratios of times and memory, print them as a table, and write them to results/bench.

    python tests/bench [--quick] [part ...]

Parts: rdms, crossnobis, inference, scaling, streaming, encoding, choice, decoding, tasks, training, dynamics. All times
are from this run, on one thread unless OMP_NUM_THREADS says otherwise: ratios of them can be compared between machines,
the times themselves not.
"""

import argparse
import importlib
import os
import sys
from pathlib import Path

PARTS = ("rdms", "crossnobis", "inference", "scaling", "streaming", "encoding", "choice", "decoding")
PARTS += ("tasks", "training", "dynamics")
OUTPUT = Path(__file__).resolve().parents[2] / "results/bench"


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=")
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="smaller sizes: about a minute")
    chosen = parser.parse_args()
    for part in chosen.parts:
        if part not in PARTS:
            parser.error(f"unknown part '{part}'; known: {', '.join(PARTS)}")
    # Before NumPy is loaded, which reads it.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from ratios import save, table

    rows = []
    for part in chosen.parts or PARTS:
        print(f"{part} …", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"bench_{part}").measure("quick" if chosen.quick else "full")
    print(f"Ratios of times measured in this run, OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']}:\n")
    print(table(rows))
    save(rows, OUTPUT / ("quick.tsv" if chosen.quick else "ratios.tsv"))
    missed = [f"{row.what} against {row.against}" for row in rows if row.met == "NO"]
    print(f"\nWritten to {OUTPUT}. " + (f"Targets not met: {'; '.join(missed)}." if missed else "All targets are met."))


if __name__ == "__main__":
    main()
