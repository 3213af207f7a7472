"""How a command reaches a store: through the process that owns it, or by opening it while nobody does.

The owner listens on a control socket beside the store. If nobody answers there, the command opens the store itself and
carries out the same `Operator` command; while it does, it is the owner. Two commands at once, or a gateway that is just
starting, get in each other's way for a moment only, so a busy store is tried again for a few seconds.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from remit.config.compile import load_policy_file
from remit.config.places import parse_store
from remit.core.policy import Policy
from remit.engine.guard import Engine
from remit.engine.keyring import KeyRing
from remit.engine.operator import Operator
from remit.entrypoints.control.client import ControlClient
from remit.entrypoints.control.place import SQLITE, control_path
from remit.errors import PolicyError, StoreBusy, StoreUnavailable, UsageError
from remit.ports import Store
from remit.stores.opening import MEMORY, open_store

PATIENCE_S = 3.0
RETRY_S = 0.05
POLICY_VARIABLE = "REMIT_POLICY"
DEFAULT_POLICIES = ("policy.yaml", "remit.yaml")

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a store is: its URL, the policy that names it (an empty one if none was named) and its control socket.

    `control` is None if its path would be too long for a socket; nobody can own the store through one then.
    """

    store: str
    policy: Policy
    policy_path: Path | None
    control: Path | None

    @property
    def file(self) -> Path | None:
        """The file of the store, if it has one."""
        return Path(self.store.removeprefix(SQLITE)) if self.store.startswith(SQLITE) else None

    def shown(self) -> str:
        """The store as it is shown: its file, or the policy whose gateway has it in memory."""
        return f"`{self.file or self.policy_path}`"


class Owner(Protocol):
    """Whoever carries out commands on a store: the process that has it open, or this one."""

    def do(self, command: str, **arguments: Any) -> Answer:
        """Carry out one `Operator` command. Raises what it raises, and `StoreUnavailable` if its answer is lost."""
        ...


def find_place(arguments: argparse.Namespace) -> Place:
    """The store that `--policy` or `--store` names. Raises `UsageError` and `PolicyError`."""
    if arguments.store is None:
        path = find_policy(arguments.policy)
        return _place(_load(path), path)
    named = Path(arguments.policy) if arguments.policy else None
    store = parse_store(arguments.store)
    if store == MEMORY:
        raise UsageError("a store in memory belongs to the gateway that runs on it: name that policy with `--policy`")
    store = f"{SQLITE}{Path(store.removeprefix(SQLITE)).absolute()}"
    policy = load_policy_file(named).policy if named is not None else _empty()
    return _place(policy, named, store=store)


def find_policy(named: str | None) -> Path:
    """The policy file: the one that was named, else $REMIT_POLICY, else `policy.yaml` or `remit.yaml` here.

    Raises `UsageError` if there is none.
    """
    if chosen := named or os.environ.get(POLICY_VARIABLE):
        return Path(chosen)
    found = next((Path(name) for name in DEFAULT_POLICIES if Path(name).is_file()), None)
    if found is None:
        raise UsageError(
            "no policy was named, and there is no `policy.yaml` or `remit.yaml` here: add `--policy FILE`, or "
            "`--store sqlite:///FILE`"
        )
    return found


def _load(path: Path) -> Policy:
    """The policy, if only for where its store is; a broken file must not keep anybody from revoking a key."""
    try:
        return load_policy_file(path).policy
    except PolicyError as error:
        hint = "until the policy is repaired, name its store: `--store sqlite:///FILE`"
        raise PolicyError([*error.problems, (0, hint)], source=error.source) from None


def _place(policy: Policy, path: Path | None, *, store: str | None = None) -> Place:
    if store is not None:
        policy = replace(policy, store=store)
    try:
        control = control_path(policy, path or Path("-"))
    except UsageError:
        control = None
    return Place(store=policy.store, policy=policy, policy_path=path, control=control)


def _empty() -> Policy:
    return Policy(digest="", currency="", tools={}, limits={})


@contextmanager
def reach(place: Place, *, creates: bool = False, only_running: bool = False) -> Iterator[Owner]:
    """Whoever owns the store at `place`, or this process as its owner for the length of a `with` block.

    `creates`: a store that does not exist yet is made. `only_running`: the command means the gateway, not its store.
    Raises `StoreUnavailable` if there is no gateway and there must be one, `UsageError` if there is no store, and what
    opening it raises.
    """
    owner = _connected(place, creates=creates, only_running=only_running)
    try:
        yield owner
    finally:
        owner.close()


def _connected(place: Place, *, creates: bool, only_running: bool) -> "_Remote | _Local":
    give_up = time.monotonic() + PATIENCE_S
    while True:
        if (remote := _remote(place)) is not None:
            return remote
        if only_running:
            raise StoreUnavailable(f"no gateway is running on {place.shown()}: start one with `remit gateway POLICY`")
        try:
            return _Local(place, creates=creates)
        except StoreBusy as busy:
            if time.monotonic() >= give_up:
                raise StoreBusy(f"{busy}; it does not answer at its control socket `{place.control}`") from None
        time.sleep(RETRY_S)


def _remote(place: Place) -> "_Remote | None":
    """The owner, if it listens."""
    if place.control is None:
        return None
    try:
        return _Remote(ControlClient(place.control))
    except PermissionError:
        raise StoreUnavailable(
            f"the control socket `{place.control}` may not be opened by you: run this as the user that runs the gateway"
        ) from None
    except OSError:
        return None


class _Remote:
    """The process that owns the store, at the other end of its control socket."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client

    def do(self, command: str, **arguments: Any) -> Answer:
        try:
            return self._client.do(command, **arguments)
        except TimeoutError:
            raise StoreUnavailable("the gateway did not answer in time: look at its log, then try again") from None
        except OSError:
            raise StoreUnavailable("the gateway went away before it answered: try again") from None

    def close(self) -> None:
        self._client.close()


class _Local:
    """This process, as the owner of a store that nobody else has open."""

    def __init__(self, place: Place, *, creates: bool) -> None:
        file = place.file
        if file is None:
            raise StoreUnavailable(
                f"the store of {place.shown()} is in memory, so only a running gateway has it: start that gateway first"
            )
        if not creates and not file.exists():
            raise UsageError(
                f"there is no store at `{file}` yet: `remit gateway` and `remit keys create` make one; is the path right?"
            )
        self._runner = asyncio.Runner()
        try:
            self._store: Store = self._runner.run(open_store(place.store, owner_note="a remit command"))
        except BaseException:
            self._runner.close()
            raise
        try:
            self._operator = self._runner.run(_operator(self._store, place.policy))
        except BaseException:
            self.close()
            raise

    def do(self, command: str, **arguments: Any) -> Answer:
        return self._runner.run(self._operator.do(command, arguments, by=f"operator uid {os.getuid()}"))

    def close(self) -> None:
        try:
            self._runner.run(self._store.close())
        finally:
            self._runner.close()


async def _operator(store: Store, policy: Policy) -> Operator:
    """The commands of an open store. Opening it has settled what its former owner left open."""
    keys = KeyRing(store)
    await keys.load()
    return Operator(Engine(store, policy), keys)
