"""Names that the shell completes: those that the control plane knows now.

A control plane that is away, slow or unwilling completes nothing, and says nothing: a shell is no place for errors.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

Names = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
_MOST = 500
_SECONDS = 2.0


def kinds() -> Names:
    """The kinds that are served, in the plural."""

    def found(client: Any, _: dict[str, Any]) -> Iterator[tuple[str, str]]:
        from weft.cli.kinds import Kinds

        for one in Kinds(client).all():
            yield one.plural, one.group or "core"

    return _completing(found)


def objects(kind: str = "") -> Names:
    """The names of a kind, by default of that which was said before."""

    def found(client: Any, said: dict[str, Any]) -> Iterator[tuple[str, str]]:
        from weft.cli.kinds import Kinds

        served = Kinds(client).named(kind or said["kind"])
        namespace = None if said.get("all_namespaces") else said.get("namespace") or "default"
        for one in client.get(served.path(namespace if served.namespaced else None), limit=str(_MOST))["items"]:
            yield one["metadata"]["name"], one["metadata"].get("namespace", "")

    return _completing(found)


def proxies() -> Names:
    """The sidecars and gateways that are connected."""

    def found(client: Any, _: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for one in client.get("/weft/v1/proxies")["items"]:
            yield one["name"], one["state"]

    return _completing(found)


def workloads() -> Names:
    """The same by the names of their workloads."""

    def found(client: Any, said: dict[str, Any]) -> Iterator[tuple[str, str]]:
        namespace = said.get("namespace") or ""
        for one in client.get("/weft/v1/proxies", namespace=namespace)["items"]:
            yield one["name"].rpartition(".")[0], one["namespace"]

    return _completing(found)


def traces() -> Names:
    """The newest traces."""

    def found(client: Any, _: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for one in client.get("/weft/v1/traces", sinceSeconds="3600", limit="100")["items"]:
            yield one["id"], f"{one['service']} {one['name']}"

    return _completing(found)


def metrics() -> Names:
    """The names of metrics."""

    def found(client: Any, _: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for name in client.get("/prometheus/api/v1/label/__name__/values")["data"]:
            yield name, ""

    return _completing(found)


def listed(path: str, about: str) -> Names:
    """The IDs of what the control plane lists at a path, with a word about each."""

    def found(client: Any, _: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for one in client.get(f"/weft/v1/{path}")["items"]:
            yield one["id"], str(one.get(about) or "")

    return _completing(found)


def of(*words: str) -> Names:
    """Words that are always the same."""
    return local(lambda: words)


def local(names: Callable[[], Iterable[str]]) -> Names:
    """Names that this host knows without asking anybody."""

    def complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in names() if name.startswith(incomplete)]

    return complete


METHODS = of("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _completing(found: Callable[[Any, dict[str, Any]], Iterable[tuple[str, str]]]) -> Names:
    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from weft.cli.client import Client
        from weft.cli.connection import connection_of

        said = {name: value for name, value in context.params.items() if value is not None}
        place = (said.get("server"), _path(said.get("token_file")), _path(said.get("ca_file")))
        try:
            with Client(connection_of(*place), seconds=_SECONDS) as client:
                names = dict(sorted(found(client, said)))
        except Exception:  # noqa: BLE001  see above
            return []
        return [CompletionItem(name, help=about) for name, about in names.items() if name.startswith(incomplete)]

    return complete


def _path(named: Any) -> Path | None:
    return Path(named) if named else None
