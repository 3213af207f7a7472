"""The set: a build folder, the payment API, the real gateway in front of it, and a desk that makes contracts.

The gateway runs `policy.yaml` of this folder with nothing changed but two addresses, because ports are chosen free at
run time; the copy that it really runs lies in the build folder, with the store and the logs.
"""

import asyncio
import fcntl
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from demo.cast import ORG, TOOLS
from demo.children import Child, Children, DemoFailed, python, shown
from demo.client import Client
from demo.commands import REMIT, Remit
from demo.contracts import Desk
from demo.payment_api import BOOKS, HOST
from remit.entrypoints.control.client import ControlClient
from remit.errors import RemitError

POLICY = Path(__file__).with_name("policy.yaml")
LISTEN = "127.0.0.1:8080"
UPSTREAM = "127.0.0.1:9000"
READY_S = 30.0
LOOK_EVERY_S = 0.05
MICROS = 1_000_000
HEALTH = "/.well-known/remit/health"
LEFTOVERS = (
    "remit.db*",
    "*.log",
    "policy.yaml",
    "demo.json",
    "audit.jsonl",
    "checkpoint*",
    "contracts/*",
    *BOOKS.values(),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What stands once everything is ready. `address` is the gateway's, `api` that of the service behind it."""

    folder: Path
    policy: Path
    remit: Remit
    desk: Desk
    gateway: Child
    address: tuple[str, int]
    api: tuple[str, int]

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    async def status(self) -> dict[str, Any]:
        """What the gateway says of itself: `remit status --json`."""
        found: dict[str, Any] = json.loads(await self.remit.must("status", "--json"))
        return found

    async def settled(self) -> dict[str, Any]:
        """What it says once no call is waiting to be settled. Raises `DemoFailed` if that does not come."""
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            status = await self.status()
            if not status["running"] and not status["settling"]:
                return status
        raise self.gateway.failed(f"still had calls to settle after {READY_S:.0f} s")

    async def spent(self, limit: str) -> Decimal:
        """What a budget has booked, in USD, over all that it counts by: `remit limits --json`."""
        cells = json.loads(await self.remit.must("limits", "--json"))
        return sum((Decimal(cell["used"]) / MICROS for cell in cells if cell["limit"] == limit), Decimal(0))

    async def make_key(self, agent: str) -> str:
        """A new key for one of the agents: `remit keys create`. The text is shown this once."""
        return await self.remit.must(
            "keys", "create", "--agent", agent, "--org", ORG, "--tools", ",".join(TOOLS[agent])
        )

    def lines(self, kind: str) -> list[dict[str, Any]]:
        """What the payment API has written in one of its own books."""
        with (self.folder / BOOKS[kind]).open(encoding="utf-8") as book:
            return [json.loads(line) for line in book]


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """The build folder, made if need be, for this run alone. Raises `DemoFailed` if another run has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "demo.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFailed(f"another demo is running in {shown(folder)}: end it first") from None
        yield


def clear(folder: Path) -> None:
    """Remove what an earlier run left there, and nothing else."""
    for pattern in LEFTOVERS:
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


async def build(children: Children, folder: Path, *, usual_ports: bool = False) -> Stage:
    """Start the service and the gateway and wait until both are ready.

    `usual_ports`: those of the policy, as far as they are free; otherwise any. Raises `DemoFailed`.
    """
    port = free_or_any(UPSTREAM) if usual_ports else 0
    service = await children.start("payment API", python("payment_api", str(folder), "--port", str(port)), talks=True)
    said = await service.message(timeout_s=READY_S)
    if said is None:
        raise service.failed("ended before it was ready")
    api = HOST, int(said["port"])
    listen = f"{HOST}:{free_or_any(LISTEN) if usual_ports else 0}"
    policy = write_policy(folder, listen=listen, upstream=f"{HOST}:{api[1]}")
    remit = Remit(policy)
    desk = Desk(remit, folder)
    desk.open()
    gateway = await children.start("gateway", [*REMIT, "gateway", str(policy)])
    address = await ready(gateway, Path(f"{folder}/remit.db.sock"))
    return Stage(folder=folder, policy=policy, remit=remit, desk=desk, gateway=gateway, address=address, api=api)


def write_policy(folder: Path, *, listen: str, upstream: str) -> Path:
    """The policy with this run's two addresses in it."""
    text = POLICY.read_text(encoding="utf-8")
    path = folder / "policy.yaml"
    path.write_text(text.replace(LISTEN, listen).replace(UPSTREAM, upstream), encoding="utf-8")
    return path


def free_or_any(address: str) -> int:
    """The port of `address` if nobody listens there, else 0, for any free one."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return 0
    return int(port)


async def ready(gateway: Child, control: Path) -> tuple[str, int]:
    """Wait until the gateway answers, first its owner and then its callers; the address that it really listens on."""
    end = time.monotonic() + READY_S
    while gateway.exit_code is None and time.monotonic() < end:
        address = await asyncio.to_thread(ask_where, control)
        if address is not None and await is_well(address):
            return address
        await asyncio.sleep(LOOK_EVERY_S)
    if gateway.exit_code is not None:
        raise gateway.failed(f"did not start (exit code {gateway.exit_code})")
    raise gateway.failed(f"was not ready within {READY_S:.0f} s")


def ask_where(control: Path) -> tuple[str, int] | None:
    """Where the owner of the control socket listens for calls, None if nobody answers there yet."""
    # The commands reach the gateway in the same way; asking directly saves starting one every few milliseconds.
    try:
        with ControlClient(control) as owner:
            host, _, port = str(owner.do("status")["listen"]).removeprefix("http://").rpartition(":")
    except (OSError, RemitError):
        return None
    return host, int(port)


async def is_well(address: tuple[str, int]) -> bool:
    with Client(address) as client:
        try:
            return (await client.call("GET", HEALTH)).status == 200
        except (ConnectionError, TimeoutError):
            return False


async def kept_keys(stage: Stage, agents: list[str]) -> dict[str, str]:
    """A usable key for each agent: those of an earlier run that still hold, new ones for the others.

    Only `--keep` keeps keys: in a file that nobody else may read, since their texts are secrets.
    """
    path = stage.folder / "keys.json"
    kept = read_keys(path)
    listed = json.loads(await stage.remit.must("keys", "list", "--json"))
    usable = {key["prefix"] for key in listed if key["state"].startswith("live")}
    keys = {
        agent: kept[agent] if kept.get(agent, "").rpartition("_")[0] in usable else await stage.make_key(agent)
        for agent in agents
    }
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(json.dumps(keys), encoding="utf-8")
    return keys


def read_keys(path: Path) -> dict[str, str]:
    """The keys that were kept; none if the file is missing or damaged, since new ones are easily made."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(agent): str(key) for agent, key in found.items()} if isinstance(found, dict) else {}
