"""Runs: the caps that an agent's own process puts on itself, carried through threads and tasks by a context variable."""

from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType

from remit.core.caller import Session
from remit.core.decision import Deny

ACTIVE: ContextVar[Session | None] = ContextVar("remit_run", default=None)
"""The innermost run that the present code is in."""


class Denied(Exception):
    """A guarded function was not called. `decision` says why; the message is its sentence."""

    def __init__(self, decision: Deny) -> None:
        """The message names the reason, what to do about it, and the decision's id."""
        self.decision = decision
        super().__init__(f"{decision.reason.value}: {decision.detail} {decision.about.help} ({decision.id})")

    @property
    def reason(self) -> str:
        """The stable reason code."""
        return self.decision.reason.value

    @property
    def terminal(self) -> bool:
        """Whether the same call should not simply be tried again."""
        return self.decision.terminal


class Run:
    """A session in this process: `with guard.run("nightly", budget="5 USD", calls=200):`. May be entered again."""

    def __init__(self, name: str, open_session: Callable[[Session | None], Session]) -> None:
        """`open_session` makes the session when the run is entered, inside the run that is active then."""
        self.name = name
        self._open_session = open_session
        self._around: list[Session | None] = []

    def __enter__(self) -> Session:
        """From here on every guarded call of this thread or task is charged to the run."""
        around = ACTIVE.get()
        session = self._open_session(around)
        self._around.append(around)
        ACTIVE.set(session)
        return session

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The run is over; what it spent stays booked."""
        ACTIVE.set(self._around.pop())

    async def __aenter__(self) -> Session:
        """The same in asynchronous code."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The same in asynchronous code."""
        self.__exit__(kind, error, trace)
