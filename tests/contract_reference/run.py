"""Many mutated chains through both verifiers: `python -m tests.contract_reference.run --chains 100000 --seed 1`.

Prints what it was started with, what came of it and how long it took; every difference with the first chains that show it.
Ends with 1 if there is one. A chain that is printed can be shown again: it is whole, with its anchors and its time.
"""

import argparse
import secrets
import sys
import time
from random import Random

from tests.contract_reference.differential import Tally, run


def main() -> int:
    """Parse the arguments, run, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chains", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--examples", type=int, default=3, help="how many chains to print for each difference")
    chosen = parser.parse_args()
    seed = secrets.randbelow(2**32) if chosen.seed is None else chosen.seed
    sys.stdout.write(f"seed {seed}, {chosen.chains} chains\n")
    sys.stdout.flush()
    started = time.perf_counter()
    tally = run(Random(seed), chosen.chains, examples=chosen.examples)
    sys.stdout.write(f"{time.perf_counter() - started:.0f} s\n{report(tally)}\n")
    return 1 if tally.differences else 0


def report(tally: Tally) -> str:
    """What came of it, in words."""
    lines = [f"{tally.chains} chains, {tally.good} of them good", f"refused by step: {dict(tally.steps.most_common())}"]
    lines += [f"not counted: {count} because of {reason}" for reason, count in tally.excused.items()]
    lines.append(f"differences: {tally.differences.total()}")
    for name, count in tally.differences.most_common():
        lines += [f"{count} times {name}", *(str(example) for example in tally.examples[name])]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
