"""`make up`: the same services, kept running, with commands to paste. What was counted stays for the next start."""

import asyncio
import sys
from pathlib import Path

from demo.cast import ALLOWED, ANALYST, EXECUTOR, ORCHESTRATOR, RISK_CHECK
from demo.children import Child, Children, shown
from demo.screen import Screen
from demo.stage import Stage, build, kept_keys, owned

LOOK_EVERY_S = 0.5
AGENTS = [RISK_CHECK, ANALYST]


async def keep(folder: Path, screen: Screen) -> int:
    """Start everything and stay until told to stop, which is how it is meant to end: exit code 0.

    Raises `DemoFailed` if it cannot start, or if one of its processes ends by itself.
    """
    with owned(folder):
        try:
            async with Children(folder) as children:
                screen.lines(["Starting the payment API and the gateway ..."])
                stage = await build(children, folder, usual_ports=True)
                keys = await kept_keys(stage, AGENTS)
                await _hand_out(stage)
                _show(screen, stage, keys)
                _show_contracts(screen, stage)
                _show_operator(screen, stage, keys)
                await _watch(children)
        except asyncio.CancelledError:
            screen.say()
            screen.say(f"Stopped. The counters and the log stay in {shown(folder)}: `make up` goes on with them.")
    return 0


async def _hand_out(stage: Stage) -> None:
    """Contracts for the agents, unless those of an earlier run still hold."""
    if not await stage.desk.still_hold(""):
        await stage.desk.hand_out("", transfers=ALLOWED)


async def _watch(children: Children) -> None:
    """Stay until one of the processes ends, which none of them should."""
    ended: Child | None = None
    while ended is None:
        await asyncio.sleep(LOOK_EVERY_S)
        ended = children.first_ended()
    raise ended.failed(f"ended by itself (exit code {ended.exit_code})")


def _show(screen: Screen, stage: Stage, keys: dict[str, str]) -> None:
    url, api = stage.url, f"http://{stage.api[0]}:{stage.api[1]}"
    screen.say(f"The gateway listens on {url}, in front of the payment API on {api}. Ctrl-C ends both.")
    screen.title("Call it, in another terminal")
    screen.lines(
        [
            f"KEY={keys[RISK_CHECK]}",
            f"transfer() {{ curl -s -w '\\n' {url}/transfer \\",
            "  -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\",
            """  -d '{"amount": 25.00, "currency": "USD", "to": "acct-2001"}' "$@"; }""",
            "",
            "transfer -i                            # one payment, with its headers",
            "for i in $(seq 155); do                # the limit is 150 an hour",
            "  transfer -o /dev/null -w '%{http_code}\\n'; done | sort | uniq -c",
            "transfer                               # now it says no, and why",
        ]
    )
    screen.title("Spend a session's budget: 5 USD, at 1.58 USD a document")
    screen.lines(
        [
            f"BUYER={keys[ANALYST]}",
            f"SESSION=$(curl -s {url}/.well-known/remit/sessions \\",
            '  -H "Authorization: Bearer $BUYER" -d \'{"budget": "5 USD"}\' \\',
            "  | grep -o 'ses_[a-z0-9]*')",
            f"document() {{ curl -si -w '\\n' -X POST {url}/reports/1847 \\",
            '  -H "Authorization: Bearer $BUYER" -H "Remit-Session: $SESSION"; }',
            "",
            "document                               # three pass, the fourth is refused",
        ]
    )


def _show_contracts(screen: Screen, stage: Stage) -> None:
    remit = Path(sys.executable).parent / "remit"
    screen.title("Call it with a contract, which only the holder of its key can use")
    screen.lines(
        [
            f"export REMIT_POLICY={shown(stage.policy)}",
            f'remit() {{ {shown(remit)} "$@"; }}',
            f"MINE={shown(stage.desk.folder / EXECUTOR)}",
            f"pay() {{ remit call {stage.url}/transfer \\",
            "  --chain $MINE.chain --key $MINE.jwk \\",
            """  -d '{"amount": 25.00, "currency": "USD", "to": "acct-2001"}'; }""",
            "",
            "pay                                    # signed: a new proof for each call",
            "remit inspect $MINE.chain --policy $REMIT_POLICY    # and what is left",
        ]
    )


def _show_operator(screen: Screen, stage: Stage, keys: dict[str, str]) -> None:
    key_id = keys[RISK_CHECK].removeprefix("remit_").partition("_")[0]
    screen.title("Look at it as its operator")
    screen.lines(
        [
            "remit status                           # traffic, and what the guard adds",
            "remit limits                           # how full each counter is",
            "remit audit tail -f                    # every decision as it is made",
            "remit why DECISION                     # the id that an answer names",
            "remit holds                            # money held by running calls",
            "remit keys list",
            f"remit revoke --chain {shown(stage.desk.folder / ORCHESTRATOR)}.chain",
            "pay                                    # its last holder is stopped, too",
            f"remit keys revoke {key_id}     # no call with it passes from then on",
        ]
    )
    screen.say()
