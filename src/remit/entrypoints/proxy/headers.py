"""Which headers cross the gateway, in each direction, and which never do.

Hop-by-hop fields, the caller's credential, method overrides, names with an underscore (which many servers read as a
dash) and everything that is ours are taken out; forwarding and identity headers are set anew from what was verified.
"""

from collections.abc import Iterable

from remit.core.caller import Caller
from remit.entrypoints.proxy.connection import Header
from remit.errors import BadRequest

HOP_BY_HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
    b"transfer-encoding", b"upgrade", b"http2-settings",
})  # fmt: skip
CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"dpop"})
NOT_FORWARDED = HOP_BY_HOP | CREDENTIALS | frozenset({
    b"host", b"content-length", b"expect", b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto",
    b"x-forwarded-port", b"x-forwarded-prefix", b"x-forwarded-server", b"x-forwarded-user", b"x-real-ip",
    b"x-http-method", b"x-http-method-override", b"x-method-override", b"x-original-url", b"x-rewrite-url",
})  # fmt: skip
NOT_RETURNED = HOP_BY_HOP | frozenset({b"content-length", b"ratelimit", b"ratelimit-policy", b"x-should-retry"})
HARMLESS_OPTIONS = frozenset({b"close", b"keep-alive", b"te", b""})
OURS = (b"remit-", b"x-remit-")


def find(headers: Iterable[Header], name: bytes) -> bytes | None:
    """The value of the first header with that (lower-case) name."""
    for other, value in headers:
        if other == name:
            return value
    return None


def check_connection(headers: Iterable[Header]) -> None:
    """Refuse a Connection header that names end-to-end fields: it would make somebody strip them (RFC 9110 7.6.1)."""
    for name, value in headers:
        if name == b"connection" and any(
            option.strip().lower() not in HARMLESS_OPTIONS for option in value.split(b",")
        ):
            raise BadRequest("the Connection header may only say `close` or `keep-alive`")


def to_upstream(
    headers: Iterable[Header],
    *,
    caller: Caller,
    client: str,
    decision: str,
    host: bytes,
    scheme: bytes,
    credential: Header | None,
    plain_body: bool,
) -> list[Header]:
    """The headers of the upstream request. `plain_body` asks for an answer that is not compressed, to be metered."""
    kept = [
        (name, value)
        for name, value in headers
        if name not in NOT_FORWARDED and b"_" not in name and not name.startswith(OURS)
        and not (plain_body and name == b"accept-encoding")
    ]  # fmt: skip
    if plain_body:
        kept.append((b"accept-encoding", b"identity"))
    if credential is not None:
        kept = [header for header in kept if header[0] != credential[0]]
        kept.append(credential)
    kept.append((b"x-forwarded-for", client.encode()))
    kept.append((b"x-forwarded-host", host))
    kept.append((b"x-forwarded-proto", scheme))
    kept.append((b"remit-decision", decision.encode()))
    for name, text in ((b"remit-agent", caller.agent), (b"remit-user", caller.user), (b"remit-org", caller.org)):
        if text is not None:
            kept.append((name, text.encode("ascii")))
    return kept


def to_client(headers: Iterable[Header]) -> list[Header]:
    """The upstream's headers that the client may see."""
    return [(name, value) for name, value in headers if name not in NOT_RETURNED and not name.startswith(OURS)]
