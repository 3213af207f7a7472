"""Mutations of what is written rather than of what it says: encodings, spellings, duplicates, sizes.

A spelling is changed before the link is signed, so that its signature is good and only its reader can object; an encoding is
changed afterwards, as somebody on the way would.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from tests.contract_reference.forge import Case, Draft, Loose, Members, Raw, as_bytes, as_loose, pick, write
from tests.contract_reference.mutate_links import any_draft
from tests.contract_reference.strict_text import encode_base64url

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _part(text: str, place: int, change: Callable[[str], str]) -> str:
    parts = text.split(".")
    parts[place] = change(parts[place])
    return ".".join(parts)


def _spare_bits(part: str) -> str:
    """The same bytes in another spelling, where there is one; else another last byte."""
    return part[:-1] + _ALPHABET[_ALPHABET.index(part[-1]) ^ 1] if part else part


def _standard_alphabet(part: str) -> str:
    return part.replace("-", "+").replace("_", "/")


RESPELL: Final[tuple[Callable[[str], str], ...]] = (
    lambda part: part + "=",
    lambda part: part + "==",
    lambda part: part + "A",
    lambda part: part[:-1],
    lambda part: part[:7] + "\n" + part[7:],
    lambda part: part[:7] + " " + part[7:],
    lambda part: " " + part,
    lambda part: part + "\r\n",
    lambda part: part[:7] + "é" + part[7:],
    lambda part: part[:7] + "\ud800" + part[7:],
    lambda part: part[:7] + "%2D" + part[7:],
    lambda part: part[:7] + part[8:],
    lambda part: part.swapcase(),
    lambda part: "",
    lambda part: part + "." + part,
    _spare_bits,
    _spare_bits,
    _standard_alphabet,
)


def respell_a_part(rng: Random, case: Case) -> None:
    place, change = rng.randrange(3), rng.choice(RESPELL)
    any_draft(rng, case).compact = lambda text: _part(text, place, change)


REJOIN: Final[tuple[Callable[[str], str], ...]] = (
    lambda chain: chain + "~",
    lambda chain: "~" + chain,
    lambda chain: chain.replace("~", "~~", 1),
    lambda chain: chain.replace("~", "~ "),
    lambda chain: chain.replace("~", ","),
    lambda chain: chain.replace("~", "."),
    lambda chain: chain + "\n",
    lambda chain: " " + chain,
    lambda chain: chain.replace(".", "..", 1),
    lambda chain: chain.replace(".", "", 1),
    lambda chain: chain + ".",
    lambda chain: chain + "\x00",
    lambda chain: "",
    lambda chain: "~",
    lambda chain: "..",
    lambda chain: chain[: len(chain) // 2],
    lambda chain: f'{{"payload":"{chain}"}}',
)


def rejoin(rng: Random, case: Case) -> None:
    case.joined = rng.choice(REJOIN)


def flip_a_character(rng: Random, case: Case) -> None:
    place, other = rng.random(), rng.choice(_ALPHABET + "~.=")

    def flip(chain: str) -> str:
        at = int(place * len(chain))
        return chain[:at] + other + chain[at + 1 :]

    case.joined = flip


def _after_brace(text: str, added: str) -> str:
    return "{" + added + "," + text[1:]


def _escaped(name: str) -> str:
    return f'"\\u{ord(name[0]):04x}{name[1:]}"'


DOCUMENT: Final[tuple[Callable[[str], bytes], ...]] = (
    lambda text: b"\xef\xbb\xbf" + text.encode(),
    lambda text: text.encode("utf-16"),
    lambda text: text.encode("utf-16-le"),
    lambda text: text.encode("utf-32"),
    lambda text: text.encode("latin-1", "replace") + b"\xff",
    lambda text: text.encode() + b"{}",
    lambda text: text.encode() + b"\x00",
    lambda text: text.encode()[:-1],
    lambda text: text.encode()[:-1] + b",}",
    lambda text: b"[" + text.encode() + b"]",
    lambda text: b" \t\r\n" + text.encode() + b" \n",
    lambda text: b"\x0b" + text.encode(),
    lambda text: b"\xc2\xa0" + text.encode(),
    lambda text: text.replace(":", " : ").encode() if "//" not in text else text.replace("{", "{ ").encode(),
    lambda text: text.replace('"', "'").encode(),
    lambda text: text.replace("{", "{/**/", 1).encode(),
    lambda text: b"",
    lambda text: b"null",
    lambda text: b'"x"',
    lambda text: _after_brace(text, '"x":' + "[" * 3000 + "]" * 3000).encode(),
    lambda text: _after_brace(text, '"x":' + '{"a":' * 2000 + "1" + "}" * 2000).encode(),
    lambda text: _after_brace(text, '"x":' + "[" * 9000).encode(),
    lambda text: _after_brace(text, '"x":' + "[" * 12 + "]" * 12).encode(),
    lambda text: _after_brace(text, '"x":"\\ud800"').encode(),
    lambda text: _after_brace(text, '"x":"\\udc00\\ud800"').encode(),
    lambda text: _after_brace(text, '"\\ud83d\\ude00":"\\ud83d\\ude00"').encode(),
    lambda text: _after_brace(text, '"x":"\\u00e9"').encode(),
    lambda text: _after_brace(text, '"x":"\\x"').encode(),
    lambda text: _after_brace(text, '"x":"\\u12"').encode(),
    lambda text: _after_brace(text, '"x":"a\tb"').encode(),
    lambda text: _after_brace(text, '"x":"a\x7fb"').encode(),
    lambda text: as_bytes(_after_brace(text, '"x":"\ud800"')),
    lambda text: _after_brace(text, '"x":1').encode().replace(b'"x"', b'"x\xc0\x80"'),
    lambda text: _after_brace(text, '"x":{"a":1,"a":1}').encode(),
    lambda text: _after_brace(text, '"x":[{"a":1,"\\u0061":2}]').encode(),
    lambda text: _after_brace(text, '"x":1,"x":1').encode(),
    lambda text: _after_brace(text, '"é":1,"e\u0301":1').encode(),
    lambda text: _after_brace(text, '"__proto__":1').encode(),
)


def respell_a_document(rng: Random, case: Case) -> None:
    change = rng.choice(DOCUMENT)
    draft = any_draft(rng, case)
    if rng.random() < 0.8:
        draft.claims_bytes = change
    else:
        draft.header_bytes = change


def repeat_a_member(rng: Random, case: Case) -> None:
    """The same name twice, spelled alike or with an escape, with another value before or after the true one."""
    draft = any_draft(rng, case)
    source = draft.claims if rng.random() < 0.8 else draft.header
    name = rng.choice(list(source))
    other = pick(rng, source[name], 1, "none", 9_999_999_999, None)
    added = f"{_escaped(name) if rng.random() < 0.5 else write(name)}:{write(other)}"

    def change(text: str) -> bytes:
        return (_after_brace(text, added) if len(added) % 2 else text[:-1] + "," + added + "}").encode()

    if source is draft.claims:
        draft.claims_bytes = change
    else:
        draft.header_bytes = change


def repeat_inside(rng: Random, case: Case) -> None:
    """A tool, an argument or a member of a constraint that is there twice."""
    draft = any_draft(rng, case)
    tools = tools_of(draft)
    if not tools:
        return
    name = rng.choice(list(tools))
    draft_entry = entry_of(draft)
    assert draft_entry is not None
    pairs = [(write(key), value) for key, value in tools.items()]
    pairs.insert(rng.randrange(len(pairs) + 1), (rng.choice((write(name), _escaped(name))), {}))
    draft_entry["tools"] = Members(tuple(pairs))


def entry_of(draft: Draft, kind: str = "attenuating_agent_token") -> dict[str, Loose] | None:
    """The first entry of this type in a draft."""
    details = draft.claims.get("authorization_details")
    for entry in details if isinstance(details, list) else ():
        if isinstance(entry, dict) and entry.get("type") == kind:
            return entry
    return None


def tools_of(draft: Draft) -> dict[str, Loose]:
    """The tools of a draft as they are written now; empty where there are none."""
    entry = entry_of(draft)
    tools = entry.get("tools") if entry is not None else None
    return tools if isinstance(tools, dict) else {}


def odd_number(rng: Random, case: Case) -> None:
    """A number in a place that nobody reads, of every spelling."""
    text = rng.choice((
        "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "-0", "-0.0", "0.0", "1E5", "1e+5", "9007199254740991",
        "9007199254740992", "-9007199254740991", "-9007199254740992", "9007199254740991.0", "9.007199254740993e15", "1e15",
        "1e16", "1e300", "0.1", "0.30000000000000004", "1" * 400, "1." + "1" * 400, "01", "1.", "-", "+1",
        "1_000", "0x10", "１", "1e", "1e1000000", "0.12345678901234567890123",
    ))  # fmt: skip
    draft = any_draft(rng, case)
    draft.claims["x"] = [Raw(text)]


def pad_to_a_size(rng: Random, case: Case) -> None:
    """A claim that nobody knows, so long that a contract or the chain just fits, or just does not."""
    draft = rng.choice(case.drafts)
    case.in_headers = rng.random() < 0.5
    now = len(case.chain())
    link = len(case.chain().split("~")[case.drafts.index(draft)])
    target, have = (16384, now) if case.in_headers else (65536, link)
    room = (target - have) * 3 // 4 - 8
    if room > 0:
        draft.claims["pad"] = "x" * (room + rng.randrange(-9, 10))


def many_links(rng: Random, case: Case) -> None:
    """Eight deep is allowed, nine is not; thousands are refused before anything else is looked at."""
    times = rng.choice((8, 9, 10, 40))
    case.rearrange = lambda links: (links * times)[: rng.choice((8, 9, 10, 11, 200))]


def huge(rng: Random, case: Case) -> None:
    size = rng.choice((16384, 65537, 262144, 262145, 400_000))
    case.joined = lambda chain: (chain + "~" + "A" * size)[:size]


def unsigned_spelling(rng: Random, case: Case) -> None:
    """The same claims, written otherwise, under the old signature."""
    place = rng.randrange(len(case.drafts))
    draft = case.drafts[place]
    claims = as_loose(dict(reversed(draft.claims.items())))

    def change(text: str) -> str:
        return _part(text, 1, lambda part: encode_base64url(write(claims).encode()))

    draft.compact = change


MUTATIONS: Final = (
    respell_a_part, respell_a_part, rejoin, flip_a_character, respell_a_document, respell_a_document, respell_a_document,
    repeat_a_member, repeat_inside, odd_number, odd_number, pad_to_a_size, many_links, unsigned_spelling,
)  # fmt: skip
