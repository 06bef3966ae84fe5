"""How certificates are: which end soon, and which should have been renewed."""

from collections.abc import Iterable, Iterator

from weft.ca.ending import Ending, worrying
from weft.model.health import Check, Level

GROUP = "certificates"
_DAY, _HOUR, _MINUTE = 86_400.0, 3_600.0, 60.0


def lasting(endings: Iterable[Ending], now: float) -> Iterator[Check]:
    """One check for each thing that ends."""
    for ending in endings:
        yield _check(ending, now)


def _check(ending: Ending, now: float) -> Check:
    what = (
        f"the certificate of {ending.name}"
        if ending.kind in ("server", "workload")
        else f"the {ending.kind} {ending.name}"
    )
    left = ending.expires - now
    level, about, help_ = Level.OK, f"{what} is good for {lasts(left)}", ""
    if left <= 0:
        level, about, help_ = Level.FAIL, f"{what} has expired", _help(ending)
    elif worrying(ending, now):
        level, help_ = Level.WARN, _help(ending)
        about = f"{what} ends in {lasts(left)}{', and should have been renewed' if ending.renewed else ''}"
    name = f"certificate-{'overdue' if ending.renewed and level is not Level.OK else ending.kind}"
    return Check(name=name, group=GROUP, level=level, message=about, help=help_, namespace=_namespace(ending))


def _help(ending: Ending) -> str:
    match ending.kind:
        case "workload":
            return "look at the log of the workload's agent: it renews by itself where it reaches the control plane"
        case "root":
            return "replace it with `weft ca rotate`, or where it belongs, if it is not weft's"
        case "intermediate":
            return "see `weft ca request-intermediate`, or replace the files"
        case _ if ending.renewed:
            return "look at the log of the control plane, which renews it"
        case _:
            return "replace it; see `weft ca status`"


def _namespace(ending: Ending) -> str:
    if ending.kind == "secret":
        return ending.name.partition("/")[0]
    return ending.name.rpartition(".")[2] if ending.kind == "workload" else ""


def lasts(seconds: float) -> str:
    """A time that is left, as people say it."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f}{name}"
    return f"{seconds:.0f}s"
