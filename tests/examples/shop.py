"""Starts the shop's services as a user does, each a process of its own on a free port."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

SHOP = Path(__file__).parents[2] / "examples" / "shop"
STEERING = {"HTTP_PROXY", "NO_PROXY", "HOST", "VERSION", "INSTANCE", "LEDGER_DB", "STEP_MS"}
PATIENCE = 20.0


def environment(**values: str) -> dict[str, str]:
    """This process's environment without what would steer a service, and with `values`."""
    kept = {name: value for name, value in os.environ.items() if name.upper() not in STEERING}
    return kept | {"PORT": "0", "PYTHONWARNINGS": "error"} | values


@dataclass(frozen=True, kw_only=True)
class Running:
    """A service that listens, with the file that its log goes to."""

    process: subprocess.Popen[bytes]
    log: Path
    address: str

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def _address_in(log: Path, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        found = re.search(r' listening address="(\S+)"\n', log.read_text())
        if found:
            return found[1]
        time.sleep(0.02)
    raise AssertionError(f"the service does not listen; its log: {log.read_text()}")


@contextmanager
def service(script: str, folder: Path, **values: str) -> Iterator[Running]:
    """A service for the length of a with block; it must not leave a traceback in its log."""
    log = folder / f"{script}-{time.monotonic_ns()}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen([sys.executable, str(SHOP / script)], env=environment(**values), stderr=sink)
    try:
        yield Running(process=process, log=log, address=_address_in(log, process))
    finally:
        process.kill()
        process.wait(PATIENCE)
    assert "Traceback" not in log.read_text()


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as it came in, its target as it stood in the request line."""

    target: str
    headers: dict[str, str]


@contextmanager
def recorder(body: bytes) -> Iterator[tuple[str, list[Seen]]]:
    """An HTTP server that answers everything with `body`: its URL, and what it has been asked."""
    seen: list[Seen] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(Seen(target=self.path, headers={name.lower(): value for name, value in self.headers.items()}))
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


async def tell_ledger(address: str, *lines: str | bytes) -> list[str]:
    """Send the lines over one connection; all that the ledger answers until it closes."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
    writer.write_eof()
    answer = (await asyncio.wait_for(reader.read(), PATIENCE)).decode().splitlines()
    writer.close()
    await writer.wait_closed()
    return answer
