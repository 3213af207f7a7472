"""How much a peer of the data plane may send, hold open and take its time: every bound in one place.

They protect memory, sockets and CPU, nothing else; what a caller may do and spend is decided elsewhere. Times are in
microseconds and are enforced by a sweep (`sweep.py`), so they end up to a quarter late.
"""

from dataclasses import dataclass

SECOND_US = 1_000_000

# Fields that may stand in a request only once. RFC 9110 §5.3 lets a recipient join repeated fields that are lists;
# none of these is one, and two readers would pick different ones.
SINGLE_FIELDS = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-location",
        b"content-range",
        b"content-type",
        b"dpop",
        b"expect",
        b"host",
        b"idempotency-key",
        b"proxy-authorization",
        b"transfer-encoding",
        b"x-api-key",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What one client connection, and all of them together, may ask of the server.

    `header_us` runs from the first byte of a head (or from the accept); `body_us` between two reads of a body, which
    must besides arrive at `min_body_rate_bytes` a second; `write_us` while a client takes nothing of its answer;
    `keep_alive_us` between two requests; `linger_us` while a connection that ends early is read to its end, so that
    the client gets its answer instead of a reset.
    """

    max_connections: int = 4096
    max_head_bytes: int = 32 * 1024
    max_line_bytes: int = 8 * 1024
    max_headers: int = 100
    single_fields: frozenset[bytes] = SINGLE_FIELDS
    buffer_bytes: int = 64 * 1024
    header_us: int = 10 * SECOND_US
    body_us: int = 30 * SECOND_US
    min_body_rate_bytes: int = 240
    write_us: int = 30 * SECOND_US
    keep_alive_us: int = 75 * SECOND_US
    linger_us: int = 2 * SECOND_US
    linger_bytes: int = 512 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamLimits:
    """What one upstream may be asked for at once, and how long its answers may take.

    `queue_us` bounds the wait for a free connection; `connect_us` name resolution, TCP and TLS together; `head_us` the
    time from the request to the head of its answer; `read_us` the silence in its body, unless we are the slow
    ones; `total_us` the whole answer (None: no bound). `idle_us` lies below the five seconds after which
    common servers close an idle connection, since a call that meets that closing ends in doubt.
    """

    max_connections: int = 256
    max_idle: int = 64
    max_waiting: int = 1024
    max_head_bytes: int = 64 * 1024
    max_headers: int = 200
    max_interim: int = 8
    buffer_bytes: int = 256 * 1024
    queue_us: int = 5 * SECOND_US
    connect_us: int = 5 * SECOND_US
    head_us: int = 60 * SECOND_US
    read_us: int = 60 * SECOND_US
    total_us: int | None = None
    idle_us: int = 3_500_000
