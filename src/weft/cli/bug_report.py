"""``weft bug-report``: what somebody needs who is to find out why a mesh misbehaves, in one file, without secrets."""

import io
import platform
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import msgspec

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.kinds import Kinds
from weft.cli.listing import written
from weft.cli.redacting import redacted, redacted_document
from weft.cli.talk import give, say
from weft.kit.envoy_binary import pinned_version
from weft.kit.errors import UserError

_QUESTIONS = {
    "status.json": "/weft/v1/status",
    "health.json": "/weft/v1/health",
    "proxies.json": "/weft/v1/proxies",
    "findings.json": "/weft/v1/findings",
    "certificate-authority.json": "/weft/v1/ca",
    "breakers.json": "/weft/v1/breakers",
    "limits.json": "/weft/v1/limits",
    "alerts.json": "/weft/v1/alerts",
    "audit-shipping.json": "/weft/v1/audit/shipping",
}
_OF_PROXIES = ("running", "about/server", "about/stats", "about/clusters", "about/listeners", "about/certificates")
_LOG_LINES = "2000"

Files = Iterator[tuple[str, bytes]]


@click.command()
@click.option("--to", "target", type=click.Path(path_type=Path, dir_okay=False), help="The file to write.")
@click.option("--since", type=DURATION, default="1h", show_default=True, help="How far back to look for what happened.")
@click.option("--proxy", "names", multiple=True, help="Ask this sidecar for everything; several are possible.")
@click.option("--documents/--no-documents", default=True, show_default=True, help="With the mesh's documents.")
@connected
def command(connection: Connection, target: Path | None, since: float, names: tuple[str, ...], documents: bool) -> None:
    """Write what is needed to find a mistake into one file, without secrets.

    It has the state of the control plane, its numbers, what happened lately, the documents, and of sidecars that are
    not well (or that --proxy names) what they run, count and log. Secrets are left out, and tokens, keys and passwords
    are blotted out wherever they stand; look into the file before you give it away.
    """
    file = target or Path(time.strftime("weft-bug-report-%Y%m%d-%H%M%S.tar.gz"))
    missing: dict[str, str] = {}
    with Client(connection) as client, tarfile.open(file, "w:gz") as archive:
        for name, content in _files(client, since, names, documents, missing):
            _add(archive, file.name.removesuffix(".tar.gz"), name, content)
        _add(archive, file.name.removesuffix(".tar.gz"), "missing.json", written(missing, "json").encode())
    for name, why in missing.items():
        say(f"not in it: {name} ({why})")
    give(str(file))


def _files(client: Client, since: float, names: tuple[str, ...], documents: bool, missing: dict[str, str]) -> Files:
    asking = _Asking(client, missing)
    yield "versions.json", written(_versions(), "json").encode()
    for file, path in _QUESTIONS.items():
        yield from asking.json(file, path)
    yield from asking.json("events.json", "/weft/v1/events", sinceSeconds=f"{since:.0f}")
    yield from asking.json("edges.json", "/weft/v1/edges", window=f"{since:.0f}")
    yield from asking.text("metrics.txt", "/metrics")
    for name in names or asking.unwell():
        for part in _OF_PROXIES:
            yield from asking.json(f"proxies/{name}/{part.replace('/', '-')}.json", f"/weft/v1/proxies/{name}/{part}")
        for source in ("sidecar", "app"):
            yield from asking.log(name, source)
    if documents:
        yield from asking.documents()


class _Asking:
    """Asks for one thing after another; what cannot be had is written down with the reason."""

    def __init__(self, client: Client, missing: dict[str, str]) -> None:
        self._client = client
        self._missing = missing

    def json(self, file: str, path: str, **params: str) -> Files:
        """An answer in JSON."""
        yield from self._kept(file, lambda: written(self._client.get(path, **params), "json"))

    def text(self, file: str, path: str) -> Files:
        """An answer as it is."""
        yield from self._kept(file, lambda: self._client.ask("GET", path).text)

    def log(self, proxy: str, source: str) -> Files:
        """What a workload's application or sidecar said."""
        name, _, namespace = proxy.rpartition(".")
        path = f"/weft/v1/namespaces/{namespace}/workloads/{name}/log"
        params = [("source", source), ("tail", _LOG_LINES)]

        def lines() -> str:
            found = self._client.lines_of(path, params, accept="application/x-ndjson")
            return "\n".join(str(msgspec.json.decode(line)) for line in found)

        yield from self._kept(f"proxies/{proxy}/{source}.log", lines)

    def unwell(self) -> list[str]:
        """The sidecars that have not what they should."""
        try:
            found = self._client.get("/weft/v1/proxies")["items"]
        except UserError:
            return []
        return [one["name"] for one in found if one["state"] != "SYNCED" or one["findings"]]

    def documents(self) -> Files:
        """Every document but secrets, a file for each kind."""
        for served in Kinds(self._client).all():
            if served.kind == "Secret":
                continue
            yield from self._kept(f"documents/{served.full_name}.yaml", partial(self._yaml, served.path(None)))

    def _yaml(self, path: str) -> str:
        items = self._client.get(path).get("items", [])
        return "".join(f"---\n{written(redacted_document(one), 'yaml')}\n" for one in items)

    def _kept(self, file: str, ask: Callable[[], str]) -> Files:
        try:
            text = ask()
        except UserError as refused:
            self._missing[file] = refused.message
        else:
            if text:
                yield file, redacted(text).encode()


def _versions() -> dict[str, Any]:
    return {
        "weft": version("weft"),
        "envoy": pinned_version(),
        "python": sys.version,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _add(archive: tarfile.TarFile, root: str, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(f"{root}/{name}")
    entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
    archive.addfile(entry, io.BytesIO(content))
