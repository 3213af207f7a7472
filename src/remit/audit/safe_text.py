"""Text that is safe to keep for years and safe to print: no secret in it, no control character, no more than its bound.

Whatever a caller sends may end up in a record: a path, an argument, the name of an agent. Every such string passes
`clean` on its way in, in this order: secrets are masked, then characters that a terminal, a log reader or a browser
could obey are written out as `<U+001B>`, then the text is cut to its maximum with a marker that says how much is gone.
Secrets are found before anything is cut, since half a secret no longer looks like one.

Masking is a net, not a proof: it knows Remit's own keys, JWTs, the credentials of an `Authorization` field, private
keys and anything introduced by a name such as `password=`. What the operator knows to be secret beyond that is
named in the policy (`audit.redact`, see `redact`).
"""

import re
from collections.abc import Mapping
from typing import Final

from remit.core.key_format import KEY_ID_CHARS, KEY_LIKE_PATTERN, KEY_PREFIX

MASK: Final = "[masked]"
"""What stands where a secret was."""

_LOOKAHEAD_CHARS = 256
"""A secret that starts inside the kept part shows what it is within this many further characters."""

_NAMES = (
    "token", "secret", "passwd", "password", "passphrase", "api_key", "api-key", "apikey", "idempotency-key",
    "private_key", "private-key", "privatekey",
)  # fmt: skip
"""What ends with one of these names, and is followed by `=` or `:`, introduces a secret."""

_HEADERS = ("authorization", "cookie")
_SCHEMES = ("bearer", "basic", "dpop", "negotiate")
_JWT_STARTS = ("eyJ", "eyA", "ewo", "ewk", "ew0")
"""`{` and a quote, a space or a line break, in base64url."""

_VENDORS = ("sk-", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "gho_", "ghp_", "ghr_", "ghs_", "ghu_")
_IS = r"[\"']?\s*[:=]"
_GAP = r"(?:\s|%20|\+)"

_SECRET: Final = re.compile(
    "|".join(
        (
            f"(?P<key>(?i:{KEY_LIKE_PATTERN}))",
            rf"(?P<jwt>(?:{'|'.join(_JWT_STARTS)})[A-Za-z0-9_-]{{7,1024}}\.[A-Za-z0-9_.~-]{{8,}})",
            rf"(?P<header>(?i:(?:{'|'.join(_HEADERS)}){_IS}\s*|\bdigest\s+(?=\w+=)))(?s:.+)",
            rf"(?P<scheme>\b(?i:{'|'.join(_SCHEMES)}){_GAP}+)\S{{8,}}",
            rf"(?P<named>(?i:{'|'.join(_NAMES)}){_IS}\s*)(?:\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|[^\s&\"',;}}]+)",
            r"(?P<pem>-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)(?s:.*)",
            rf"(?P<vendor>(?<![A-Za-z0-9])(?:{'|'.join(_VENDORS)})[A-Za-z0-9_-]{{16,}})",
        )
    )
)
"""Every alternative starts with a literal and repeats one class at a time, so that hostile text cannot make it slow."""


_BARE_SUSPECTS: Final = {
    "remit": re.compile(KEY_LIKE_PATTERN),
    "ey": re.compile(r"ey[ja][a-z0-9_-]*\."),
    "ew": re.compile(r"ew[ok0][a-z0-9_-]*\."),
    "sk-": re.compile(r"sk-[a-z0-9_-]{16}"),
    "k_live_": re.compile(r"k_live_[a-z0-9_-]{16}"),
    "k_test_": re.compile(r"k_test_[a-z0-9_-]{16}"),
    "gh": re.compile(r"gh[oprsu]_[a-z0-9_-]{16}"),
}
"""For each literal that a secret can start with, how lower-cased ASCII text goes on where it may be one."""

_INTRODUCED_SUSPECTS: Final = (
    {name: re.compile(name + _IS) for name in _HEADERS + _NAMES}
    | {scheme: re.compile(scheme + _GAP) for scheme in (*_SCHEMES, "digest")}
    | {"-----begin": re.compile("-----begin")}
)
"""The same for secrets that a word introduces, which takes a space or one of `=:%+` between the two."""

_INTRODUCE_NOTHING: Final = bytes(set(range(128)) - set(b" =:%+"))
_CUT_MARK: Final = re.compile(r"\.\.\.\[[0-9]+ more\]$")


def holds_secret(text: str) -> bool:
    """Whether any part of `text`, one string that is to be written or shown, looks like a secret that nobody masked."""
    return any(_masked(match) != match[0] for match in _SECRET.finditer(_CUT_MARK.sub("", text)))


def may_hold_secret(text: str) -> bool:
    """Whether printable ASCII `text` may hold a secret: quick, and errs only to yes."""
    lowered = text.lower()
    if _any_suspect(_BARE_SUSPECTS, lowered):
        return True
    introduced = text.encode("ascii").translate(None, _INTRODUCE_NOTHING)
    return bool(introduced) and _any_suspect(_INTRODUCED_SUSPECTS, lowered)


def names_a_secret(name: str) -> bool:
    """Whether what goes by this name (an argument, a header field) is a secret, whatever it looks like."""
    return name.lower().endswith(_NAMES + _HEADERS)


def clean(text: str, *, max_chars: int) -> str:
    """`text` without secrets or unprintable characters, at most `max_chars` (>= 32) long, cuts marked with their size."""
    if len(text) <= max_chars and text.isascii() and text.isprintable() and not may_hold_secret(text):
        return text
    masked = _masked_prefix(text, max_chars)
    dropped = max(0, len(text) - max_chars)
    shown = masked if masked.isprintable() else "".join(map(_shown, masked))
    if not dropped and len(shown) <= max_chars:
        return shown
    marker = f"...[{max(dropped, len(shown) - max_chars)} more]"
    return shown[: max_chars - len(marker)] + marker


def _any_suspect(suspects: Mapping[str, re.Pattern[str]], lowered: str) -> bool:
    return any(literal in lowered and suspect.search(lowered) is not None for literal, suspect in suspects.items())


def _masked_prefix(text: str, max_chars: int) -> str:
    """The first `max_chars` of `text`, masked; a secret that starts in them is masked even where it ends later."""
    window = text[: max_chars + _LOOKAHEAD_CHARS]
    pieces: list[str] = []
    position = 0
    for match in _SECRET.finditer(window):
        if match.start() >= max_chars:
            break
        pieces += (window[position : match.start()], _masked(match))
        position = match.end()
    pieces.append(window[position:max_chars])
    return "".join(pieces)


def _masked(match: re.Match[str]) -> str:
    """What replaces one secret: the public words that introduce it stay, since they say what was there."""
    kind = match.lastgroup
    if kind == "key":
        key_id = match[0][len(KEY_PREFIX) : len(KEY_PREFIX) + KEY_ID_CHARS]
        whole = match[0].startswith(f"{KEY_PREFIX}{key_id}_") and key_id.isalnum() and len(key_id) == KEY_ID_CHARS
        return f"{KEY_PREFIX}{key_id}_{MASK}" if whole else f"{KEY_PREFIX}{MASK}"
    if kind in ("header", "scheme", "named"):
        return match[kind] + MASK
    return MASK


def _shown(char: str) -> str:
    """A character as itself, or written out: controls, escapes, bidi and zero-width marks, lone surrogates."""
    return char if char.isprintable() else f"<U+{ord(char):04X}>"
