"""Writes the published vectors: `python -m tests.contract_reference.make_vectors`. The same bytes each time.

What each vector expects is written beside it, by hand; the tests ask both verifiers.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.contract_reference import (
    vectors_bad,
    vectors_bad_claims,
    vectors_good,
    vectors_narrowing,
    vectors_proofs,
)
from tests.contract_reference.strict_text import Json
from tests.contract_reference.vector_cast import Vector, anchors

FOLDER: Final = Path(__file__).resolve().parents[2] / "vectors" / "contracts"
FORMAT: Final = 1


def chains() -> list[Vector]:
    """Every vector about a chain, the good ones first."""
    makers = (
        vectors_good.good, vectors_narrowing.checks, vectors_narrowing.pairs, vectors_bad.bad_text, vectors_bad.bad_headers,
        vectors_bad.bad_trust, vectors_bad.bad_links, vectors_bad_claims.bad_claims, vectors_bad_claims.bad_times,
        vectors_bad_claims.bad_depths, vectors_bad_claims.bad_holders, vectors_bad_claims.bad_capabilities,
        vectors_bad_claims.bad_limits,
    )  # fmt: skip
    made = [vector for maker in makers for vector in maker()]
    return sorted(made, key=lambda vector: vector.step is not None)


def files() -> dict[str, str]:
    """The name and the text of every file."""
    made = chains()
    trusted = anchors()
    good = [vector.as_json() for vector in made if vector.step is None]
    bad = [vector.as_json() for vector in made if vector.step is not None]
    return {
        "valid.json": _text({"format": FORMAT, "anchors": trusted, "vectors": good}),
        "invalid.json": _text({"format": FORMAT, "anchors": trusted, "vectors": bad}),
        "dpop.json": _text({"format": FORMAT, "vectors": [each.as_json() for each in vectors_proofs.dpop()]}),
        "tool_proofs.json": _text({
            "format": FORMAT, "anchors": {"acme": trusted["acme"]}, "vectors": [each.as_json() for each in vectors_proofs.tool_proofs()],
        }),
    }  # fmt: skip


def _text(value: dict[str, object]) -> str:
    """One vector a line, so that a change shows as a change of that line; ASCII, so that nobody normalises it."""
    vectors: Iterable[Json] = value.pop("vectors")  # type: ignore[assignment]  # lists of JSON objects, all of them
    head = json.dumps(value, indent=1).removesuffix("\n}")
    lines = ",\n  ".join(json.dumps(vector) for vector in vectors)
    return f'{head},\n "vectors": [\n  {lines}\n ]\n}}\n'


def main() -> int:
    """Write the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="ascii")
        sys.stdout.write(f"{name}: {len(json.loads(text)['vectors'])} vectors\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
