"""The incident: an agent that is told `retry`, does, and never stops. One of several processes.

Each connection first asks whether the payee is all right, is told `retry`, and from then on sends the same transfer again
as soon as the last answer is in. The answers are read (status, reason, whether the gateway told it to stop) and ignored:
a refusal that says `x-should-retry: false` is just one more error to this program.

Every request carries a fresh proof, signed here for this request alone. The chain of contracts is uploaded once for each
key, and named from then on. With `fresh_every` the process does not use the key that it was given: it makes one of its own,
delegates to it, and after so many attempts to the next; the others go on meanwhile.

Settings come as one JSON line on standard input; the counts go out as JSON lines, several a second.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self, cast

import uvloop

from demo.cast import TRANSFER, UNDER_REVIEW
from demo.holder import Holder, payment

REPORT_EVERY_S = 0.1
STALLED_S = 20.0
MAX_ANSWER_BYTES = 256 * 1024
FIRST_REFUSALS = 200  # the very first refusal is among the first few of each process
BODY = payment(float(TRANSFER), UNDER_REVIEW)


class GaveUp(Exception):
    """The loop cannot go on; the text says why."""


@dataclass(slots=True)
class Counts:
    """What this process has sent and been answered. `failed` are attempts that got no proper answer.

    `keys` is how many different keys it has used, `proofs` how many it has made: one for each request, uploads and
    validations included.
    """

    attempts: int = 0
    validated: int = 0
    uploaded: int = 0
    admitted: int = 0
    failed: int = 0
    told_to_stop: int = 0
    keys: int = 0
    proofs: int = 0
    first_refused: str = ""
    refused: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Raises `ValueError` or `TypeError` for anything but a line that `as_json` wrote."""
        members = json.loads(text)
        return cls(**{**members, "refused": Counter(members["refused"])})


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `head` is in lower case and ends before the empty line."""

    status: int
    head: bytes
    body: bytes


def read_answer(data: bytes) -> Answer | None:
    """The one answer in `data`, None while it is not complete. Raises `GaveUp` if it cannot be one."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[:end].lower()
    at = head.find(b"\r\ncontent-length: ")
    if not head.startswith(b"http/1.1 ") or at < 0:
        raise GaveUp("an answer without a status or a length came back")
    stop = head.find(b"\r\n", at + 2)
    whole = end + 4 + int(head[at + 18 : stop if stop >= 0 else end])
    if len(data) > whole or whole > MAX_ANSWER_BYTES:
        raise GaveUp("more came back than one answer")
    return Answer(int(head[9:12]), head, data[end + 4 :]) if len(data) == whole else None


def reason_of(answer: Answer) -> str:
    """The stable code in a problem body, or the bare status where there is none."""
    try:
        return str(json.loads(answer.body)["reason"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status}"


class Looper:
    """What the connections of this process share: the attempts that are left, and what became of the others."""

    def __init__(self, attempts: int, *, origin: str, holder: Holder, fresh_every: int = 0) -> None:
        self._left = attempts
        self._running = 0
        self._reasons: dict[bytes, str] = {}
        self._given = holder
        self._fresh_every = fresh_every
        self._present: Holder | None = None
        self._coming: Holder | None = None
        self._uses = 0
        self._origin = origin
        self.counts = Counts()
        loop = asyncio.get_running_loop()
        self.kept: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()

    @property
    def has_more(self) -> bool:
        """Whether there are attempts left to make."""
        return self._left > 0

    def take(self) -> bool:
        """Whether there is one more attempt to make."""
        self._left -= 1
        return self._left >= 0

    def upload(self) -> bytes | None:
        """The request that makes the gateway keep the chain of the next key; None while the present key will do."""
        used_up = self._fresh_every > 0 and self._uses >= self._fresh_every
        if self._coming is not None or (self._present is not None and not used_up):
            return None
        self._coming = self._given
        if self._fresh_every:
            self._coming = self._given.delegate(f"helper-of-{self._given.name}")
        self.counts.proofs += 1
        return self._coming.upload(self._origin)

    def uploaded(self, answer: Answer) -> None:
        """The next key is the present one from now on."""
        if answer.status != 201 or self._coming is None:
            raise GaveUp(f"the chain was not kept: {answer.status} {answer.body[:200]!r}")
        self._coming.is_kept = True
        self._present, self._coming, self._uses = self._coming, None, 0
        self.counts.uploaded += 1
        if not self.kept.done():
            self.kept.set_result(None)

    def validate(self) -> bytes:
        """Ask whether the payee is all right."""
        return self._post("/validate")

    def transfer(self) -> bytes:
        """The next attempt, by the present key."""
        self.counts.keys += self._uses == 0
        self._uses += 1
        return self._post("/transfer")

    def _post(self, path: str) -> bytes:
        assert self._present is not None  # connections are opened once the first chain is kept
        self.counts.proofs += 1
        return self._present.post(self._origin, path, BODY)

    def joined(self) -> None:
        self._running += 1

    def left(self) -> None:
        """A connection has no more to do."""
        self._running -= 1
        if self._running == 0 and not self.done.done():
            self.done.set_result(None)

    def give_up(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(GaveUp(why))

    def take_note(self, answer: Answer) -> None:
        """Count the answer to one attempt."""
        counts = self.counts
        counts.attempts += 1
        if 200 <= answer.status < 300:
            counts.admitted += 1
            return
        counts.refused[self._reason(answer)] += 1
        counts.told_to_stop += b"\r\nx-should-retry: false" in answer.head
        if counts.attempts - counts.admitted < FIRST_REFUSALS:
            self._note_first(answer.head)

    def _reason(self, answer: Answer) -> str:
        """Bodies are read as JSON once for each different reason, and compared as bytes from then on."""
        at = answer.body.find(b'"reason":')
        if at < 0:
            return reason_of(answer)
        written = answer.body[at : answer.body.find(b",", at)]
        if (reason := self._reasons.get(written)) is None:
            reason = self._reasons[written] = reason_of(answer)
        return reason

    def _note_first(self, head: bytes) -> None:
        """Decision ids sort by time: the smallest was refused first."""
        _, _, rest = head.partition(b"\r\nremit-decision: ")
        id = rest.partition(b"\r\n")[0].decode("ascii", "replace")
        first = self.counts.first_refused
        if id and (not first or id < first):
            self.counts.first_refused = id


class Connection(asyncio.Protocol):
    """One kept connection: upload the chain, ask about the payee, then an attempt, its answer, the next attempt."""

    _transport: asyncio.Transport

    def __init__(self, looper: Looper) -> None:
        self._looper = looper
        self._data = b""
        self._validated = False
        self._expects: Callable[[Answer], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # what every loop gives for TCP, whatever its class
        self._looper.joined()
        self._next()

    def data_received(self, data: bytes) -> None:
        self._data = self._data + data if self._data else data
        try:
            answer = read_answer(self._data)
            if answer is None:
                return
            expects, self._expects, self._data = self._expects, None, b""
            if expects is None:
                raise GaveUp("an answer came back to nothing")
            expects(answer)
            self._next()
        except (GaveUp, ValueError) as error:
            self._looper.give_up(str(error))
            self._transport.close()

    def _next(self) -> None:
        """Send what comes next, or hang up if nothing does."""
        looper = self._looper
        if looper.has_more and (upload := looper.upload()) is not None:
            self._send(upload, looper.uploaded)
        elif not self._validated:
            self._send(looper.validate(), self._told)
        elif looper.take():
            self._send(looper.transfer(), looper.take_note)
        else:
            self._transport.close()

    def _send(self, request: bytes, expects: Callable[[Answer], None]) -> None:
        self._expects = expects
        self._transport.write(request)

    def _told(self, answer: Answer) -> None:
        if b'"retry"' not in answer.body:
            raise GaveUp(f"`/validate` answered {answer.status} {answer.body[:200]!r} instead of `retry`")
        self._looper.counts.validated += 1
        self._validated = True

    def connection_lost(self, exc: Exception | None) -> None:
        if self._expects is not None:
            self._looper.counts.attempts += 1
            self._looper.counts.failed += 1
            self._looper.give_up(f"the gateway closed a connection in the middle of a call ({exc or 'no error'})")
        self._looper.left()


async def run(looper: Looper, *, host: str, port: int, connections: int) -> None:
    """Make all attempts, reporting on the way. Raises `GaveUp`."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: looper.give_up(f"{context.get('exception') or context['message']}"))
    looper.joined()  # so that it is not over before the last connection stands
    for _ in range(connections):  # the first uploads the chain, which the others then name
        await loop.create_connection(lambda: Connection(looper), host, port)
        await asyncio.wait((looper.kept, looper.done), return_when=asyncio.FIRST_COMPLETED)
    looper.left()
    seen, since = -1, time.monotonic()
    while not looper.done.done():
        await asyncio.wait((looper.done,), timeout=REPORT_EVERY_S)
        print(looper.counts.as_json(), flush=True)
        if looper.counts.attempts != seen:
            seen, since = looper.counts.attempts, time.monotonic()
        elif time.monotonic() - since > STALLED_S:
            raise GaveUp(f"no answer for {STALLED_S:.0f} s")
    looper.done.result()


async def perform(
    *, host: str, port: int, name: str, key: str, chain: str, attempts: int, connections: int, fresh_every: int
) -> None:
    """What one process does: `key` and `chain` are texts, `fresh_every` 0 means to stay with them."""
    holder = Holder.read(name, key, chain)
    looper = Looper(attempts, origin=f"http://{host}:{port}", holder=holder, fresh_every=fresh_every)
    await run(looper, host=host, port=port, connections=min(connections, attempts))


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    try:
        uvloop.run(perform(**settings))
    except (GaveUp, OSError) as error:
        sys.exit(f"the error loop gave up: {error}")


if __name__ == "__main__":
    main()
