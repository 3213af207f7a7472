"""`remit` as a process of its own, before an upstream whose answers a test can keep waiting; all of it ends for certain."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from tests.cli.shell import POLICY

SECONDS = 20
READY = "remit gateway listening on "


class Upstream:
    """A payment API: counts what reached it, and answers at once or when a test says so."""

    def __init__(self) -> None:
        self.calls = 0
        self.arrived = threading.Semaphore(0)
        self.may_answer = threading.Event()
        self.may_answer.set()
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"] or 0))
                upstream.calls += 1
                upstream.arrived.release()
                upstream.may_answer.wait(SECONDS)
                self.send_response(200)
                self.send_header("x-cost", "0.30 USD")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A gateway that was cut off leaves; that is what the test is about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(SECONDS)


class Process:
    """A gateway process. Its log is read after its end, from `log`."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder
        self._log = folder / "gateway.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "remit", "gateway", "policy.yaml", *words],
                cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip
        assert self._process.stdout is not None
        self.ready = self._process.stdout.readline()
        self.url = self.ready.removeprefix(READY).partition(" ")[0]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text()

    def tell(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        return self._process.wait(SECONDS)

    def wait_for_log(self, text: str) -> None:
        """Until the log says so."""
        eventually(lambda: text in self.log)

    def call(self, key: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"}
        return httpx.post(f"{self.url}/transfer", json={"to": "bob"}, headers=headers, timeout=SECONDS, trust_env=False)

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()


def eventually(holds: object) -> None:
    """Ask until it is true."""
    assert callable(holds)
    give_up = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < give_up, "it never became true"
        threading.Event().wait(0.02)


def run(folder: Path, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """One command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "remit", *words],
        cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False, env={**os.environ, **environ},
    )  # fmt: skip


@contextmanager
def upstream_and_policy(folder: Path) -> Iterator[Upstream]:
    """An upstream, and in `folder` the policy that leads to it."""
    upstream = Upstream()
    try:
        (folder / "policy.yaml").write_text(POLICY.replace("127.0.0.1:9000", f"127.0.0.1:{upstream.port}"))
        yield upstream
    finally:
        upstream.close()


@contextmanager
def gateway_process(folder: Path, *words: str) -> Iterator[Process]:
    """A gateway process, for the length of a `with` block."""
    process = Process(folder, *words)
    try:
        yield process
    finally:
        process.end()
