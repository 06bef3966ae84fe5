"""``weft replay``: recorded requests, sent again; with ``--compare``, a test."""

import asyncio
from pathlib import Path
from typing import Any

import click
import msgspec

from weft.cli.errors import Told, Usage
from weft.cli.listing import How, Shown, give_items, listing_as
from weft.cli.replaying import SAFE, Plan, Sent, planned, send_all
from weft.cli.tables import table
from weft.cli.talk import give, say
from weft.cli.traffic import milliseconds
from weft.kit.errors import UserError

_MOST_SHOWN = 50


class _Rate(click.ParamType[tuple[float, float]]):
    """How many times as fast as recorded, and how many a second at most (0: no limit)."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        text = str(value)
        number = text.removesuffix("/s").removesuffix("x")
        try:
            amount = float(number)
        except ValueError:
            amount = 0.0
        if not 0 < amount <= 10_000 or text == number:
            self.fail(f"{value!r} is no rate such as 1x, 0.5x or 20/s", param, ctx)
        return (0.0, amount) if text.endswith("/s") else (amount, 0.0)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--to", "base", required=True, metavar="URL", help="Where to send them: http://127.0.0.1:8080.")
@click.option("--rate", type=_Rate(), default="1x", show_default=True, help="As recorded (1x, 2x), or so many: 20/s.")
@click.option("--writes", is_flag=True, help=f"Send others than {', '.join(SAFE)} too.")
@click.option("--keep-host", is_flag=True, help="Ask for the recorded hosts, not for that of --to.")
@click.option("--max", "most", type=click.IntRange(1), default=10_000, show_default=True, help="Send so many at most.")
@click.option("--parallel", type=click.IntRange(1, 256), default=16, show_default=True, help="So many at a time.")
@click.option("--timeout", type=click.FloatRange(0.01, 300), default=30.0, show_default=True, help="Seconds for each.")
@click.option("--compare", is_flag=True, help="Fail when a status is another than the recorded one.")
@click.option("--slower", type=click.FloatRange(1), metavar="TIMES", help="With --compare: fail when p95 is so slow.")
@listing_as(watched=False)
def command(
    file: Path,
    base: str,
    rate: tuple[float, float],
    writes: bool,
    keep_host: bool,
    most: int,
    parallel: int,
    timeout: float,
    compare: bool,
    slower: float | None,
    how: How,
) -> None:
    """Send recorded requests again, and compare.

    FILE is what `weft tap --record` wrote. What was hidden there is not sent. Bodies of which only a part was recorded
    cannot be sent, so their requests are left out.
    """
    if slower and not compare:
        raise Usage("--slower is for --compare", help="add --compare")
    if not base.startswith(("http://", "https://")):
        raise Usage(f"{base} is no address to send requests to", help="write it as http://HOST:PORT")
    plan = planned(read_recording(file), most=most, writes=writes)
    for reason, count in plan.left_out:
        say(f"{count} requests are left out: {reason}")
    sent = asyncio.run(
        send_all(plan, base, speed=rate[0], per_second=rate[1], parallel=parallel, timeout=timeout, keep_host=keep_host)
    )
    _show(sent, plan, how)
    if compare:
        _judge(sent, slower)


def read_recording(file: Path) -> list[dict[str, Any]]:
    """The requests of a recording. Raises ``UserError`` where it is none."""
    wrong = UserError(f"{file} is no recording", help="write one with `weft tap --record FILE`")
    found: list[dict[str, Any]] = []
    try:
        with file.open("rb") as lines:
            head = msgspec.json.decode(next(lines, b"{}"), type=dict[str, Any])
            if head.get("type") != "recording" or head.get("version") != 1:
                raise wrong
            for number, line in enumerate(lines, 2):
                try:
                    found.append(msgspec.json.decode(line, type=dict[str, Any]))
                except msgspec.MsgspecError:
                    say(f"line {number} of {file} is no request and is left out")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise wrong from None
    return [one for one in found if one.get("type") == "request"]


def _show(sent: list[Sent], plan: Plan, how: How) -> None:
    """For people what is different now, with ``wide`` all of it."""
    if not how.is_table:
        answer = {"sent": msgspec.to_builtins(sent), "leftOut": dict(plan.left_out)}
        give_items(how, answer, _SENT, answer["sent"])
        return
    different = [one for one in sent if one.differs]
    if how.output == "wide":
        give(table(("method", "path", "recorded", "now", "took", "now"), [_row(one) for one in sent]))
    elif different:
        rows = [_row(one) for one in different[:_MOST_SHOWN]]
        give(table(("method", "path", "recorded", "now", "took", "now"), rows))
        if len(different) > _MOST_SHOWN:
            say(f"and {len(different) - _MOST_SHOWN} more")
    before, now = _percentiles([one.recorded for one in sent]), _percentiles([one.took for one in sent if one.status])
    rows = [["recorded", *map(milliseconds, before)], ["now", *map(milliseconds, now)]]
    give(table(("latency", "p50", "p95", "p99"), rows))
    say(f"{len(sent)} requests sent, {len(different)} with another status than recorded")


def _row(one: Sent) -> list[str]:
    statuses = [str(one.recorded_status), one.told]
    return [one.method, one.path, *statuses, milliseconds(one.recorded), milliseconds(one.took)]


_SENT = Shown(name=lambda one: f"{one['method']} {one['path']}", head=(), cells=lambda _: ())


def _judge(sent: list[Sent], slower: float | None) -> None:
    """Fail where it is not as it was."""
    if not sent:
        raise UserError("nothing was sent, so nothing is compared")
    if any(one.differs for one in sent):
        raise Told(1)
    before, now = _percentiles([one.recorded for one in sent])[1], _percentiles([one.took for one in sent])[1]
    if slower and now > before * slower:
        say(f"p95 is {milliseconds(now)}, more than {slower:g} times the recorded {milliseconds(before)}")
        raise Told(1)


def _percentiles(values: list[float]) -> tuple[float, float, float]:
    """The nearest ranks; zeros of nothing."""
    ordered = sorted(values) or [0.0]
    p50, p95, p99 = (ordered[min(len(ordered) - 1, round(share * len(ordered)))] for share in (0.5, 0.95, 0.99))
    return p50, p95, p99
