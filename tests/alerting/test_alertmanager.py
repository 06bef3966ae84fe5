"""Alerts at a real Alertmanager, which asks for a password over TLS: they arrive, in groups, and they end there too."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
import yaml
from msgspec.structs import replace

from tests.alerting.test_sender import ALERT, Receiver, receiver, telling, until
from weft.alerting import sender as module
from weft.alerting.book import Book
from weft.alerting.targets import place_of
from weft.kit.clock import SystemClock
from weft.store.memory import MemoryStore

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.slow,
    pytest.mark.skipif(ALERTMANAGER is None, reason="Debian's prometheus-alertmanager is not installed"),
]
_USER, _PASSWORD = "weft", "open sesame"
_HASH = "$2b$04$e1z/yksRRyaaZPZoHR8UHuvPrVp2MIrwy/D.83sGoUrvMMsnL0UyW"
"""The password by bcrypt, of few rounds."""
_INTERVAL = 2.0
"""Seconds for which Alertmanager collects what is new in a group."""


class _Alertmanager:
    """Its files, and where it is told."""

    def __init__(self, root: Path, hook: Receiver, port: int) -> None:
        self._root = root
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(root / "ca.pem"))
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(str(root / "server.pem"))
        tls = {"cert_file": str(root / "server.pem"), "key_file": str(root / "server.pem")}
        web = {"tls_server_config": tls, "basic_auth_users": {_USER: _HASH}}
        (root / "web.yml").write_text(yaml.safe_dump(web))
        route = {
            "receiver": "team",
            "group_by": ["namespace", "slo"],
            "group_wait": "300ms",
            "group_interval": f"{_INTERVAL:g}s",
        }
        hooks = [{"url": f"http://127.0.0.1:{hook.port}/"}]
        told = {"route": route, "receivers": [{"name": "team", "webhook_configs": hooks}]}
        (root / "alertmanager.yml").write_text(yaml.safe_dump(told))
        user = f"{_USER}:{_PASSWORD.replace(' ', '%20')}"
        self.told = f"alertmanager+https://{user}@127.0.0.1:{port}?ca={root}/ca.pem"
        self._port = port

    @contextmanager
    def started(self) -> Iterator[None]:
        """Runs until the end of the block; what it has kept is there when it starts again."""
        command = [
            str(ALERTMANAGER),
            f"--config.file={self._root}/alertmanager.yml",
            f"--storage.path={self._root}/data",
            f"--web.config.file={self._root}/web.yml",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--cluster.listen-address=",
        ]
        with (
            (self._root / "log").open("ab") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as process,
        ):
            try:
                yield
            finally:
                process.terminate()
                process.wait(10)

    async def ready(self) -> None:
        """It answers."""
        trusted = ssl.create_default_context(cafile=str(self._root / "ca.pem"))
        async with httpx2.AsyncClient(verify=trusted, auth=(_USER, _PASSWORD), trust_env=False) as client:
            async with asyncio.timeout(30):
                while True:
                    try:
                        if (await client.get(f"https://127.0.0.1:{self._port}/-/ready")).status_code == 200:
                            return
                    except httpx2.TransportError:
                        pass
                    await asyncio.sleep(0.05)


async def test_alerts_arrive_in_groups_and_end_though_it_starts_anew_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("_REPEAT", "_LOOK", "_FIRST_PAUSE"):
        monkeypatch.setattr(module, name, 0.1)
    clock = SystemClock()
    book = Book(MemoryStore(), clock)
    with ExitStack() as stack:
        holder = stack.enter_context(socket.socket())
        # Bound, never listening: nobody else gets the port, and the server may take it.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        async with receiver() as hook:
            there = _Alertmanager(tmp_path, hook, holder.getsockname()[1])
            async with telling(book, MemoryStore(), place_of(there.told)) as sender:
                with there.started():
                    await there.ready()
                    page = replace(ALERT, since=clock.now())
                    book.update("slo", [page, replace(page, id="slow", severity="ticket")])
                    await until(lambda: len(_last(hook)["alerts"]) == 2, 30)
                    firing = _last(hook)
                    book.update("slo", [])
                    await until(lambda: all("resolved" in dict(one.told).values() for one in book.entries()))
                with there.started():
                    await until(lambda: _last(hook)["status"] == "resolved", 30)
                (told,) = sender.status()
    assert told.refused == 0
    assert firing["groupLabels"] == _last(hook)["groupLabels"] == {"namespace": "shop", "slo": "reviews"}
    assert {one["labels"]["severity"] for one in firing["alerts"]} == {"page", "ticket"}
    assert {one["status"] for one in _last(hook)["alerts"]} == {"resolved"}


def _last(hook: Receiver) -> dict[str, Any]:
    """What Alertmanager said last."""
    return (hook.bodies() or [{"status": "", "alerts": []}])[-1]
