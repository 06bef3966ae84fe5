"""Which access logs a proxy writes for people (Istio: ``mergeLogs``)."""

from weft.kit.memo import memo
from weft.model.known_sinks import log_in, sinks_of
from weft.model.settings import Settings
from weft.model.telemetry import FilteredLog, LoggingRule, Side


@memo(4096)
def logs_of(settings: Settings, rules: tuple[LoggingRule, ...], side: Side) -> tuple[FilteredLog, ...]:
    """The logs of one side's calls. Without rules and default providers, the file of ``accessLogFile``."""
    usual = settings.default_sinks.logs
    if not rules and usual is None:
        return (FilteredLog(log=settings.access_log),) if settings.access_log else ()
    chosen = _merged(rules, usual or (), side) if rules else dict.fromkeys(usual or (), "")
    known = sinks_of(settings)
    found = ((log_in(known.get(name)), chosen[name]) for name in sorted(chosen))
    return tuple(FilteredLog(log=log, filter=text) for log, text in found if log is not None)


def _merged(rules: tuple[LoggingRule, ...], usual: tuple[str, ...], side: Side) -> dict[str, str]:
    """Providers and their filters: the last names given hold, each as the last rule says that names it."""
    named = [rule.providers for rule in rules if side in rule.sides and rule.providers]
    in_scope = named[-1] if named else usual
    found: dict[str, str] = {}
    parent = usual
    for rule in rules:
        parent = rule.providers or parent
        for name in parent if side in rule.sides else ():
            if name not in in_scope:
                continue
            if rule.disabled:
                found.pop(name, None)
            else:
                found[name] = rule.filter
    return found
