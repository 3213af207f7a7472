"""Upstreams behind TLS: verified by default, and no end of a connection is taken for the end of an answer unproven."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from remit.entrypoints.proxy.bounds import UpstreamLimits
from remit.entrypoints.proxy.upstream import Upstream
from remit.errors import UpstreamFailed
from tests.proxy_dataplane.wires import MILLISECOND_US, eventually

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "upstream")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "upstream.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
    return path


@asynccontextmanager
async def upstream_behind_tls(
    script: Script, certificate: Path, *, trusted: bool = True, limits: UpstreamLimits | None = None
) -> AsyncIterator[Upstream]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    ended: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(writer)
        await script(reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    tls = ssl.create_default_context(cafile=certificate) if trusted else None
    port = server.sockets[0].getsockname()[1]
    upstream = Upstream(scheme="https", host="127.0.0.1", port=port, tls=tls, limits=limits)
    try:
        yield upstream
    finally:
        await upstream.close()
        server.close()
        for writer in ended:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def test_calls_over_tls_are_answered_and_share_a_connection(certificate: Path) -> None:
    accepted = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        for _ in range(5):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
        writer.close()

    async with upstream_behind_tls(script, certificate) as upstream:
        for _ in range(5):
            response = await upstream.call("GET", b"/", ())
            assert await response.read_some() == b"ok"
        assert accepted == 1


async def test_an_unknown_certificate_proves_that_nothing_was_sent(certificate: Path) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("no handshake can have succeeded")

    async with upstream_behind_tls(script, certificate, trusted=False) as upstream:
        with pytest.raises(UpstreamFailed, match="certificate") as caught:
            await upstream.call("POST", b"/", (), b"x")
        assert not caught.value.dispatched
        assert upstream.open_connections == 0


async def test_a_handshake_that_hangs_proves_that_nothing_was_sent() -> None:
    over = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    limits = UpstreamLimits(connect_us=50 * MILLISECOND_US)
    upstream = Upstream(scheme="https", host="127.0.0.1", port=port, limits=limits)
    with pytest.raises(UpstreamFailed) as caught:
        await upstream.call("GET", b"/", ())
    assert (caught.value.dispatched, caught.value.timeout) == (False, True)
    await over.wait()
    await upstream.close()
    server.close()


@pytest.mark.parametrize("proper", [True, False])
async def test_only_a_proper_close_ends_an_answer_without_length(certificate: Path, *, proper: bool) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall or half")
        await writer.drain()
        await asyncio.sleep(0.02)
        if not proper:
            with writer.get_extra_info("socket").dup() as same:
                same.shutdown(1)  # the end of TCP without the end of TLS
        writer.close()

    async with upstream_behind_tls(script, certificate) as upstream:
        response = await upstream.call("GET", b"/", ())
        assert await response.read_some() == b"all or half"
        if proper:
            assert await response.read_some() == b""
        else:
            with pytest.raises(UpstreamFailed):
                await response.read_some()
        await eventually(lambda: upstream.open_connections == 0)
