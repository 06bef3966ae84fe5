"""Alerts of health: what has failed its check for a minute, and certificates that somebody has to see to."""

from collections.abc import Iterable, Iterator

from weft.health.alerts import GROUP as TRAFFIC
from weft.health.certificates import GROUP as CERTIFICATES
from weft.health.documents import GROUP as DOCUMENTS
from weft.kit.value import labels_of
from weft.model.alert import Alert
from weft.model.health import Check, Level

PATIENCE = 60.0
"""Seconds that a check fails before somebody is told: a proxy that was just started refuses nothing for so long."""
_Key = tuple[str, str]


class Alarm:
    """Remembers since when checks fail."""

    def __init__(self, before: Iterable[Alert] = ()) -> None:
        """``before`` are alerts that were on before a restart: they do not wait again."""
        told = (one for one in before if one.kind == "health" and one.firing)
        self._since: dict[_Key, float] = {(dict(one.labels)["check"], one.namespace): one.since for one in told}

    def alerts(self, checks: Iterable[Check], now: float) -> tuple[Alert, ...]:
        """The alerts that are on; alerts of traffic are told by those who found them, documents to who wrote them."""
        wrong: dict[_Key, list[Check]] = {}
        for one in checks:
            if one.group not in (TRAFFIC, DOCUMENTS) and _severity(one):
                wrong.setdefault((one.name, one.namespace), []).append(one)
        self._since = {key: self._since.get(key, now) for key in wrong}
        return tuple(self._told(wrong, now))

    def _told(self, wrong: dict[_Key, list[Check]], now: float) -> Iterator[Alert]:
        for (name, namespace), found in wrong.items():
            since = self._since[name, namespace]
            if now - since < PATIENCE:
                continue
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            yield Alert(
                id=f"health:{namespace}:{name}",
                kind="health",
                name="HealthCheckFails",
                severity=_severity(found[0]),
                summary=found[0].message + more,
                since=since,
                namespace=namespace,
                labels=labels_of({"check": name}),
                evidence=labels_of({"help": found[0].help} if found[0].help else {}),
            )


def _severity(check: Check) -> str:
    """How bad it is, "" if nobody has to know."""
    if check.level is Level.FAIL:
        return "page"
    return "ticket" if check.level is Level.WARN and check.group == CERTIFICATES else ""
