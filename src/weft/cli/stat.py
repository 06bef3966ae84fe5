"""``weft stat``: golden signals of what is called."""

import click

from weft.cli.connection import Connection, connected
from weft.cli.traffic import Asked, Item, Shown, milliseconds, options, percent, rate, show, size


@click.command()
@click.argument("by", type=click.Choice(["service", "workload", "namespace"]), default="service")
@options
@connected
def command(
    connection: Connection,
    by: str,
    namespace: str,
    all_namespaces: bool,
    window: float,
    output: str,
    watch: bool,
) -> None:
    """Show success rate, calls a second and latencies of services.

    Every call is counted in its caller's sidecar, or in the callee's where the caller has none. Sidecars tell what they
    counted every 5 s.
    """
    across = all_namespaces or by == "namespace"
    asked = Asked(
        path="/weft/v1/stat",
        namespace="" if across else namespace,
        window=window,
        output=output,
        watch=watch,
        by=by,
    )
    show(connection, asked, _shown(across=all_namespaces and by != "namespace"))


def _shown(*, across: bool) -> Shown:
    def cells(item: Item) -> list[str]:
        latency = item["latency"]
        return [
            *([item["namespace"]] if across else []),
            item["name"],
            percent(item["success"]),
            rate(item["rate"]),
            *(milliseconds(latency[name]) for name in ("p50", "p95", "p99")),
            str(item["connections"]),
        ]

    return Shown(
        name=lambda item: item["name"],
        head=(*(["namespace"] if across else []), "name", "success", "rate", "p50", "p95", "p99", "conns"),
        cells=cells,
        wide_head=("requests", "errors", "4xx", "mtls", "callers", "received", "sent"),
        wide_cells=lambda item: [
            *(str(item[name]) for name in ("requests", "errors", "clientErrors")),
            percent(item["mutualTls"]),
            str(item["callers"]),
            size(item["received"]),
            size(item["sent"]),
        ],
    )
