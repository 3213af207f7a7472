"""What the guard itself has written down, read back once it has ended: its audit log, checked and counted.

The log is signed while the gateway still runs, and verified against that signature after it has ended, so that a record
that was changed, removed or cut off at the end would be noticed. Then the attempts in it are counted: ten refusals a
second are written out for a caller and a limit, the others as one record with their number.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from demo.children import shown
from demo.screen import Screen
from demo.stage import Stage

TRANSFER_TOOL = "payments.transfer"


@dataclass(slots=True)
class Evidence:
    """What the log says of the loop's transfers, and whether it verifies."""

    verified: bool = False
    admitted: int = 0
    refused: int = 0


async def sign(stage: Stage) -> None:
    """Sign where the log ends now. Raises `DemoFailed`."""
    await stage.remit.must("audit", "checkpoint", "-o", str(stage.folder / "checkpoints.txt"))
    public = await stage.remit.must("audit", "public-key")
    (stage.folder / "checkpoint.pem").write_text(public + "\n", encoding="ascii")


async def examine(stage: Stage, screen: Screen, *, lineage: str) -> Evidence:
    """Verify the log and count in it what was tried under the root with that lineage.

    Raises `DemoFailed` if it cannot be exported.
    """
    signed, public, out = (shown(stage.folder / name) for name in ("checkpoints.txt", "checkpoint.pem", "audit.jsonl"))
    said = await stage.remit.run("audit", "verify", "--checkpoint", signed, "--public-key", public)
    screen.lines([f"$ remit audit verify --checkpoint {signed} \\", f"      --public-key {public}"])
    screen.quote(said.out or said.errors)
    await stage.remit.must("audit", "export", "-o", out)
    with (stage.folder / "audit.jsonl").open(encoding="utf-8") as log:
        found = count((json.loads(line)["record"]["body"] for line in log), lineage=lineage)
    found.verified = said.exit_code == 0
    return found


def count(bodies: Iterable[dict[str, Any]], *, lineage: str) -> Evidence:
    """Add up the decisions about transfers under one root, whoever of its holders asked.

    A count of refusals names its caller and not the chain: it is the loop's if that caller was seen with this root.
    """
    found, counted, holders = Evidence(), list[dict[str, Any]](), set[str]()
    for body in bodies:
        if body.get("tool") != TRANSFER_TOOL:
            continue
        if body["kind"] == "refusals":
            counted.append(body)
        elif body.get("chain", ())[:1] and body["chain"][0]["lineage"] == lineage:
            holders.add(body["caller"]["id"])
            found.admitted += body["outcome"] == "allow"
            found.refused += body["outcome"] != "allow"
    found.refused += sum(body["count"] for body in counted if body["caller"]["id"] in holders)
    return found
