"""Records to test with: a plain refusal, a plain allowance, and whatever Hypothesis can think of."""

from typing import Any

from hypothesis import strategies as st

from remit.audit import record as rec
from remit.audit.chain import Entry, Writer
from remit.audit.encoding import envelope

NOW_US = 1_795_297_387_123_456  # 2026-11-21 21:43:07.123456 UTC

RISK_CHECK = rec.CallerSeen(
    kind="api_key",
    id="abcdefghijklmnop",
    agent="risk-check",
    user="anna",
    org="acme",
    tier="basic",
    key_prefix="remit_abcdefghijklmnop",
)

REFUSED = rec.Decision(
    id="dec_00064c2d5e0a4f00001122334455667788",
    outcome=rec.Outcome.DENY,
    reason="quota_exhausted",
    tool="payments.transfer",
    caller=RISK_CHECK,
    target="acct-9",
    method="POST",
    path="/transfer",
    arguments={"amount": "500", "currency": "EUR"},
    amounts={"USD": 350_000, "calls": 1},
    limit="transfers",
    per="agent, tool",
    unit="calls",
    used=100,
    max=100,
    reset_us=NOW_US + 1_013_000_000,
    policy="3f2a",
    epoch=3,
)

ALLOWED = rec.Decision(
    id="dec_00064c2d5e0a4f000199aabbccddeeff00",
    outcome=rec.Outcome.ALLOW,
    reason="",
    tool="payments.transfer",
    caller=RISK_CHECK,
    target="acct-9",
    amounts={"USD": 350_000, "calls": 1, "slots": 1},
    hold="dec_00064c2d5e0a4f000199aabbccddeeff00",
    policy="3f2a",
)

COMMITTED = rec.Settlement(
    hold=ALLOWED.hold,
    decision=ALLOWED.id,
    how=rec.SettledHow.COMMITTED,
    before="dispatched",
    after="settled",
    actuals={"USD": 250_000, "calls": 1, "slots": 0},
    latency_us=12_345,
    status=200,
)


def recorded(body: rec.Body, *, seq: int = 1, time_us: int = NOW_US) -> rec.Record:
    return envelope(writer="gw-1", seq=seq, time_us=time_us, body=body)


def small_log(records: int, *, writer: str = "w", subject: str = "s") -> list[Entry]:
    """A chain of small records that differ in nothing but their number."""
    chain = Writer.start(writer)
    body = rec.Admin(action=rec.AdminAction.GATE_SET, by="op", subject=subject)
    return [Entry(writer, *chain.append(time_us=n, body=body)) for n in range(records)]


def strings_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(text for member in value.values() for text in strings_in(member))]
    if isinstance(value, list):
        return [text for item in value for text in strings_in(item)]
    return [value] if isinstance(value, str) else []


hostile_text = st.text(st.characters(), max_size=80) | st.sampled_from(
    ("\x1b[31mred", "a\nb", "\0", "\u202egnp", '","seq":1,"', "\\", "{", "é" * 70, "\ud800", "", "A" * 2000)
)
numbers = st.integers(-rec.MAX_INTEGER, rec.MAX_INTEGER)
amounts = st.dictionaries(st.sampled_from(("USD", "calls", "slots", "llm_tokens")), numbers)

callers = st.builds(
    rec.CallerSeen,
    kind=hostile_text,
    id=hostile_text,
    agent=hostile_text,
    user=hostile_text,
    org=hostile_text,
    tier=hostile_text,
    key_prefix=hostile_text,
    session=hostile_text,
)
limits_seen = st.builds(
    rec.LimitSeen, name=hostile_text, per=hostile_text, unit=hostile_text, used=numbers, max=numbers
)
decisions = st.builds(
    rec.Decision,
    id=hostile_text,
    outcome=st.sampled_from(rec.Outcome),
    reason=hostile_text,
    tool=hostile_text,
    caller=callers,
    chain=st.lists(st.builds(rec.Link, holder=hostile_text, agent=hostile_text), max_size=2).map(tuple),
    target=hostile_text,
    path=hostile_text,
    arguments=st.dictionaries(hostile_text, hostile_text, max_size=3),
    amounts=amounts,
    limit=hostile_text,
    used=numbers,
    failing=st.lists(limits_seen, max_size=2).map(tuple),
    would_refuse=st.lists(hostile_text, max_size=2).map(tuple),
    detail=hostile_text,
)
settlements = st.builds(
    rec.Settlement,
    hold=hostile_text,
    decision=hostile_text,
    how=st.sampled_from(rec.SettledHow),
    before=hostile_text,
    after=hostile_text,
    actuals=amounts,
    overage=amounts,
    latency_us=numbers,
    status=numbers,
    evidence=hostile_text,
)
refusals = st.builds(
    rec.Refusals,
    count=numbers,
    caller=callers,
    reason=hostile_text,
    first_decision=hostile_text,
    last_decision=hostile_text,
    first_us=numbers,
    last_us=numbers,
    limit=hostile_text,
)
admins = st.builds(
    rec.Admin, action=st.sampled_from(rec.AdminAction), by=hostile_text, subject=hostile_text, detail=hostile_text
)
bodies = decisions | settlements | refusals | admins
records = st.builds(recorded, bodies, seq=st.integers(1, rec.MAX_INTEGER), time_us=st.integers(0, rec.MAX_INTEGER))
