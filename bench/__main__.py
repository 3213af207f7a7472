"""`python -m bench [NAME …]`: measure the rows, print a table, write build/bench.json."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from bench.rows import ROWS


def main() -> None:
    """Measure what was asked for, one row after the other."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ratios against peers, measured in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows to measure (default: all of them)")
    wanted = parser.parse_args().names
    rows = []
    print(f"{'row':30} {'ours':>12} {'peer':>12} {'ratio':>8}  unit")
    for measure in ROWS:
        if wanted and measure.__name__ not in wanted:
            continue
        row = measure()
        rows.append(asdict(row))
        print(f"{row.name:30} {row.ours:12,.1f} {row.peer:12,.1f} {row.ratio:8.2f}  {row.unit}")
        print(f"{'':30} {row.note}")
    out = Path("build/bench.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
