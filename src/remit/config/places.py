"""Where things are: the addresses, networks, upstreams and the store of a policy, read strictly.

An address is taken apart by hand and put together again from parts that were checked, so that no two readers of a URL can
disagree about its host. Secrets stand nowhere in a policy: a URL with a user or a password in it is refused.
"""

import ipaddress
from functools import partial
from typing import Final

from remit.config.problems import Path, Problems
from remit.config.schema import PolicyShape, UpstreamShape
from remit.contracts.anchors import is_uri
from remit.core.match import check_identifier
from remit.core.policy import Upstream
from remit.core.reading import is_digits, shown
from remit.core.schedule import DAY_US
from remit.core.units import parse_duration
from remit.errors import UsageError

MAX_TIMEOUT_US: Final = DAY_US
DEFAULT_CONNECT_TIMEOUT_US: Final = 5_000_000

_MAX_URL_CHARS: Final = 2048
_MAX_HOST_CHARS: Final = 253
_MAX_PREFIX_CHARS: Final = 64
_HOST_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")
_HEADER_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~")  # RFC 9110 §5.6.2, lower case
_MAX_HEADER_CHARS: Final = 128
_SECRET_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
_LATER_STORES: Final = ("redis", "rediss", "valkey", "valkeys", "postgresql", "postgres")
_FRAMING_HEADERS: Final = (
    *("connection", "content-length", "content-type", "expect", "host", "keep-alive", "proxy-connection", "te"),
    *("trailer", "transfer-encoding", "upgrade"),
)
"""Headers that say how a message is read or where it goes; no policy may set them or read arguments from them."""


def parse_header_name(text: str) -> str:
    """Read the name of a header, in any case; the answer is in lower case. Raises `UsageError`."""
    name = text.lower()
    if not 0 < len(name) <= _MAX_HEADER_CHARS or not _HEADER_CHARS.issuperset(name):
        raise UsageError(f"{shown(text)} is not the name of a header: write one such as `x-cost`")
    if name in _FRAMING_HEADERS or name.startswith("remit-"):
        raise UsageError(f"the header {shown(text)} belongs to the connection or to Remit: name another")
    return name


def parse_secret_name(text: str) -> str:
    """Read `secret:name`; the answer is the name. Raises `UsageError`, which never shows the text: it may be a secret."""
    name = text.removeprefix("secret:")
    is_name = 0 < len(name) <= 64 and _SECRET_CHARS.issuperset(name) and name[0].isalpha()
    if name == text or not is_name:
        raise UsageError(
            "a credential is named, never written into the policy: write `secret:` and a name of `a-z 0-9 _ -`, and "
            "give its value in the environment"
        )
    return name


def parse_origin(text: str) -> str:
    """Read `http://` or `https://` with a host and maybe a port, and nothing after it. Raises `UsageError`."""
    scheme, colon, rest = text.partition("://") if len(text) <= _MAX_URL_CHARS else ("", "", "")
    if "@" in text:
        raise UsageError("a URL must not hold a user or a password: use `credential: secret:name`")
    if not colon or scheme not in ("http", "https"):
        raise UsageError(f"{shown(text)} is not a URL: write one such as `http://127.0.0.1:9000`")
    rest = rest.removesuffix("/")
    if any(sign in rest for sign in "/?#\\"):
        raise UsageError(f"{shown(text)} has a path: write the scheme, host and port only; paths come from the routes")
    host, port = _host_and_port(rest, text)
    if port == 0:
        raise UsageError(f"{shown(text)} has no proper port: write a number from 1 to 65535")
    return f"{scheme}://{host}" if port is None else f"{scheme}://{host}:{port}"


def parse_uri(text: str, *, such_as: str, max_chars: int = _MAX_URL_CHARS) -> str:
    """Read a URI that is a name and compared exactly, so it is kept as it is written. Raises `UsageError`."""
    if "@" in text.partition("//")[2].partition("/")[0]:
        raise UsageError("a URI must not hold a user or a password: it is a name that everybody may know")
    if not is_uri(text) or len(text) > max_chars:
        raise UsageError(f"{shown(text)} is not a URI of up to {max_chars} characters: write one such as `{such_as}`")
    return text


def parse_listen(text: str) -> str:
    """Read an address and a port such as `127.0.0.1:8080` or `[::1]:8080`; port 0 is any free one. Raises `UsageError`."""
    host, port = _host_and_port(text, text)
    if port is None:
        raise UsageError(f"{shown(text)} has no port: write an address and a port, such as `127.0.0.1:8080`")
    return f"{host}:{port}"


def is_local(address: str) -> bool:
    """Whether only this machine reaches an address that `parse_listen` (or `parse_origin`, after its scheme) made."""
    host = address if address.endswith("]") else address.rpartition(":")[0] or address
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _host_and_port(text: str, whole: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `[v6]` or `[v6]:port`; the host in lower case, an IPv6 one in brackets."""
    host, _, after = text.partition("]") if text.startswith("[") else (text.partition(":")[0], "", "")
    port_text = after if text.startswith("[") else text[len(host) :]
    if port_text and not port_text.startswith(":"):
        raise UsageError(f"{shown(whole)} is not an address: write one such as `127.0.0.1:8080`")
    port = _port(port_text[1:], whole) if port_text else None
    return _host(host.lower(), whole), port


def _host(host: str, whole: str) -> str:
    if host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host[1:])}]"
        except ValueError:
            raise UsageError(f"{shown(whole)} does not hold an IPv6 address: write one such as `[::1]:8080`") from None
    labels = host.split(".")
    is_host = 0 < len(host) <= _MAX_HOST_CHARS and _HOST_CHARS.issuperset(host) and all(labels)
    if is_host and is_digits(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            is_host = False
    if not is_host:
        raise UsageError(f"{shown(whole)} has no proper host: write a name or an address such as `127.0.0.1`")
    return host


def _port(text: str, whole: str) -> int:
    if not is_digits(text) or len(text) > 5 or int(text) > 65535:
        raise UsageError(f"{shown(whole)} has no proper port: write a number from 1 to 65535")
    return int(text)


def parse_store(text: str) -> str:
    """Read `sqlite:///relative`, `sqlite:////absolute` or `memory:`. Raises `UsageError`."""
    scheme = text.partition(":")[0]
    if text == "memory:":
        return text
    if scheme in _LATER_STORES:
        raise UsageError(f"a store in {shown(scheme)} is not supported yet: use `sqlite:///remit.db`")
    if "@" in text:
        raise UsageError("a store must not hold a user or a password: write `sqlite:///remit.db` or `memory:`")
    path = text.removeprefix("sqlite:///")
    if path == text or not path or path.endswith("/") or len(text) > _MAX_URL_CHARS:
        raise UsageError(f"{shown(text)} is not a store: write `sqlite:///remit.db` or `memory:`")
    if path.startswith(":") or any(sign in path for sign in "?#%\0"):
        raise UsageError(f"{shown(text)} is not a store: write a plain path after `sqlite:///`, or `memory:`")
    return text


def parse_network(text: str) -> str:
    """Read an address or a network such as `10.0.0.0/8`; the answer always has a prefix length. Raises `UsageError`."""
    try:
        return str(ipaddress.ip_network(text)) if len(text) <= _MAX_HEADER_CHARS else _not_a_network(text)
    except ValueError:
        return _not_a_network(text)


def _not_a_network(text: str) -> str:
    raise UsageError(f"{shown(text)} is not a network: write one such as `127.0.0.1/32`, with no bits after the prefix")


def read_timeout(path: Path, text: str, problems: Problems) -> int | None:
    """A duration of at most a day, in microseconds."""
    timeout_us = problems.read(path, parse_duration, text)
    if timeout_us is not None and timeout_us > MAX_TIMEOUT_US:
        problems.add(path, f"{shown(text)} is too long: a call may take at most 24 hours")
        return None
    return timeout_us


def read_upstream(name: str, shape: UpstreamShape, problems: Problems) -> Upstream | None:
    """The upstream of that name, or None when something in it was reported."""
    path: Path = ("upstreams", name)
    problems.read(path, partial(check_identifier, what="upstream"), name)
    url = problems.read((*path, "url"), parse_origin, shape.url)
    timeout_us = read_timeout((*path, "timeout"), shape.timeout, problems)
    connect_us = _connect_timeout((*path, "connect_timeout"), shape.connect_timeout, timeout_us, problems)
    credential, header, prefix = _credential(path, shape, problems)
    if url is None or timeout_us is None or connect_us is None or problems.is_broken(*path):
        return None
    return Upstream(
        name=name,
        url=url,
        timeout_us=timeout_us,
        connect_timeout_us=connect_us,
        credential=credential,
        credential_header=header,
        credential_prefix=prefix,
        connections=shape.connections,
    )


def _connect_timeout(path: Path, text: str | None, timeout_us: int | None, problems: Problems) -> int | None:
    if timeout_us is None:
        return None
    if text is None:
        return min(DEFAULT_CONNECT_TIMEOUT_US, timeout_us)
    connect_us = read_timeout(path, text, problems)
    if connect_us is not None and connect_us > timeout_us:
        problems.add(path, f"{shown(text)} is longer than the whole `timeout`: make it shorter")
    return connect_us


def _credential(path: Path, shape: UpstreamShape, problems: Problems) -> tuple[str, str, str]:
    """The secret's name, the header it goes into and what stands before it."""
    if shape.credential is None:
        for field in ("credential_header", "credential_prefix"):
            if getattr(shape, field) is not None:
                problems.add((*path, field), "there is no credential to send: add `credential: secret:name`")
        return "", "authorization", "Bearer "
    secret = problems.read((*path, "credential"), parse_secret_name, shape.credential) or ""
    header = "authorization"
    if shape.credential_header is not None:
        header = problems.read((*path, "credential_header"), parse_header_name, shape.credential_header) or ""
    prefix = "Bearer " if header == "authorization" else ""
    if shape.credential_prefix is not None:
        prefix = shape.credential_prefix
        if len(prefix) > _MAX_PREFIX_CHARS or not (prefix.isascii() and prefix.isprintable()):
            problems.add((*path, "credential_prefix"), "must be at most 64 plain characters, such as `Bearer `")
    return secret, header, prefix


def read_networks(shape: PolicyShape, problems: Problems) -> tuple[str, ...]:
    """The networks whose forwarding headers are believed."""
    networks = []
    for index, text in enumerate(shape.trusted_proxies):
        path: Path = ("trusted_proxies", index)
        network = problems.read(path, parse_network, text)
        if network is not None and network.endswith("/0"):
            problems.warn(path, "trusts everybody: callers can choose the address that they are counted by")
        networks.append(network or "")
    return tuple(networks)
