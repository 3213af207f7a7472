"""A payment API in a process of its own: writes down every call before it answers, with what it charged.

`python upstream.py LEDGER` prints its port and serves until its standard input ends.
"""

import asyncio
import json
import os
import sys


async def main(ledger: str) -> None:
    """Serve on a free port."""
    out = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
                cost_micros = 100_000 + json.loads(body)["amount"] % 200_000
                line = {"decision": fields[b"remit-decision"].decode(), "cost_micros": cost_micros}
                os.write(out, json.dumps(line).encode() + b"\n")
                await asyncio.sleep(0.002)
                cost = b"x-cost: 0.%06d\r\n" % cost_micros
                writer.write(b"HTTP/1.1 200 OK\r\n" + cost + b"content-length: 2\r\n\r\nok")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
