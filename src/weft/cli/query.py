"""``weft query``: a PromQL expression, answered by the control plane or by the Prometheus that it asks."""

import time
from datetime import datetime
from typing import Any

import click

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.listing import How, listing, tell
from weft.cli.live_names import metrics
from weft.cli.tables import table

_BARS = " ▁▂▃▄▅▆▇█"
_NAME = "__name__"
_POINTS = 60


@click.command()
@click.argument("expression", shell_complete=metrics())
@click.option("--at", type=float, help="When, in seconds since the epoch; now if nothing says it.")
@click.option("--range", "length", type=DURATION, help="The values of this time until then, as a line for each series.")
@click.option("--step", type=DURATION, help="How far apart the values of a range are; a sixtieth of it otherwise.")
@listing
@connected
def command(
    connection: Connection, expression: str, at: float | None, length: float | None, step: float | None, how: How
) -> None:
    """Ask for metrics in PromQL.

    For example: weft query 'sum by (destination_service) (rate(istio_requests_total[1m]))'
    """
    with Client(connection) as client:

        def ask() -> Any:
            now = at if at is not None else time.time()
            if length is None:
                return client.get("/prometheus/api/v1/query", query=expression, time=f"{now:.3f}")["data"]
            between = {"start": f"{now - length:.3f}", "end": f"{now:.3f}", "step": f"{step or length / _POINTS:.3f}"}
            return client.get("/prometheus/api/v1/query_range", query=expression, **between)["data"]

        tell(how, ask, _told, _names)


def _names(data: dict[str, Any]) -> list[str]:
    """The series; a number alone has no name."""
    scalar = data["resultType"] in {"scalar", "string"}
    return [] if scalar else [_series(one["metric"]) for one in data["result"]]


def _told(data: dict[str, Any]) -> str:
    result = data["result"]
    if not result:
        return ""
    if data["resultType"] in {"scalar", "string"}:
        return str(result[1])
    if data["resultType"] == "vector":
        return table(["series", "value"], [[_series(one["metric"]), one["value"][1]] for one in result])
    rows = [[_series(one["metric"]), *_line([float(value) for _, value in one["values"]])] for one in result]
    first, last = (datetime.fromtimestamp(result[0]["values"][place][0]).astimezone() for place in (0, -1))
    return table(["series", "last", "most", f"{first:%H:%M:%S} to {last:%H:%M:%S}"], rows)


def _series(labels: dict[str, str]) -> str:
    inner = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != _NAME)
    return f"{labels.get(_NAME, '')}{{{inner}}}" if inner or _NAME not in labels else labels[_NAME]


def _line(values: list[float]) -> list[str]:
    """The last value, the largest, and all as bars."""
    finite = [value for value in values if abs(value) != float("inf") and value == value]
    most = max(finite, default=0.0)
    bars = "".join(_bar(value, most) for value in values)
    return [f"{values[-1]:.6g}", f"{most:.6g}", bars]


def _bar(value: float, most: float) -> str:
    if value != value or most <= 0 or value <= 0:
        return _BARS[0]
    return _BARS[min(len(_BARS) - 1, max(1, round(min(value, most) / most * (len(_BARS) - 1))))]
