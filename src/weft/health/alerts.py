"""How traffic is: which alerts are on, and whether those who should know of them are reached."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from weft.model.alert import Alert
from weft.model.health import Check, Level

GROUP = "traffic"
_LEVELS = {"page": Level.FAIL, "info": Level.OK}


class Told(Protocol):
    """How a target of alerts does."""

    @property
    def to(self) -> str: ...

    @property
    def namespace(self) -> str: ...

    @property
    def problem(self) -> str: ...


def burning(alerts: Iterable[Alert]) -> Iterator[Check]:
    """A check for each alert that is on; one line where there is none."""
    on = [one for one in alerts if one.kind != "health"]
    if not on:
        yield Check(name="alerts", group=GROUP, level=Level.OK, message="no alert is on")
    for one in on:
        level = _LEVELS.get(one.severity, Level.WARN)
        help_ = f"see `weft slo alerts -o wide`, and `weft stat -n {one.namespace}`"
        yield Check(
            name=f"alert-{one.kind}", group=GROUP, level=level, message=one.summary, help=help_, namespace=one.namespace
        )


def reached(targets: Iterable[Told]) -> Iterator[Check]:
    """A check for each target that was told something."""
    for one in targets:
        about = f"alerts reach {one.to}" if not one.problem else f"alerts do not reach {one.to}: {one.problem}"
        yield Check(
            name="alert-target",
            group=GROUP,
            level=Level.WARN if one.problem else Level.OK,
            message=about,
            help="look at its address, and whether it is up" if one.problem else "",
            namespace=one.namespace,
        )
