"""Rules that no request can reach, because an earlier one takes them all (Istio: ``analyzeUnreachableHTTPRules``)."""

from collections.abc import Iterator, Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.types.http_route import HttpMatchRequest, HttpRoute
from weft.dialects.istio.types.virtual_service import TcpRoute, TlsRoute
from weft.dialects.wire import Wire

_Placed = tuple[int, int, HttpMatchRequest]
_SEVERAL = 2
_MAX_ALIKE = 50


def check_unreachable(here: Here, rules: Sequence[HttpRoute]) -> Findings:
    """Warnings; of a rule that can never be reached, and of single matches that can never hold."""
    yield from _check_duplicates(here, rules)
    yield from _check_prefixes(here, rules)


def _check_duplicates(here: Here, rules: Sequence[HttpRoute]) -> Findings:
    seen: dict[str, int] = {}
    open_rule: int | None = None
    if len(rules) < _SEVERAL and sum(len(rule.match) for rule in rules) < _SEVERAL:
        return
    for index, rule in enumerate(rules):
        if open_rule is not None:
            yield here.at(index).warning("W0118", f"rule {open_rule} takes every request before this one", _ORDER)
        elif not rule.match and rule.delegate is None:
            open_rule = index
        for place, match in enumerate(rule.match):
            content = match.model_dump_json()
            if content in seen:
                message = f"rule {seen[content]} has the same match, and comes first"
                yield here.at(index, "match", place).warning("W0118", message, "remove one of them")
            seen.setdefault(content, index)


def check_unreachable_connections(here: Here, rules: Sequence[TcpRoute | TlsRoute]) -> Findings:
    """The same for rules of connections (Istio: ``analyzeUnreachableTCPRules``, ``analyzeUnreachableTLSRules``)."""
    seen: dict[str, int] = {}
    open_rule: int | None = None
    for index, rule in enumerate(rules):
        if open_rule is not None:
            yield here.at(index).warning("W0118", f"rule {open_rule} takes every connection before this one", _ORDER)
        elif not rule.match:
            open_rule = index
        contents: Sequence[Wire] = rule.match
        for place, match in enumerate(contents):
            content = match.model_dump_json()
            if content in seen:
                message = f"rule {seen[content]} has the same match, and comes first"
                yield here.at(index, "match", place).warning("W0118", message, "remove one of them")
            seen.setdefault(content, index)


_ORDER = "rules are tried in order; put the one without match last"


def _check_prefixes(here: Here, rules: Sequence[HttpRoute]) -> Findings:
    """By prefix, so that many rules are looked at quickly; of one prefix the first 50 matches."""
    earlier: dict[str, list[_Placed]] = {}
    lengths: set[int] = set()
    for rule, place, match in _prefixed(rules):
        prefix = (match.uri.prefix if match.uri else "") or ""
        shorter = (prefix[:length] for length in lengths if length <= len(prefix))
        candidates = sorted((one for known in shorter for one in earlier.get(known, ())), key=lambda one: one[:2])
        covering = next((one for one in candidates if _covers(one[2], match)), None)
        lengths.add(len(prefix))
        alike = earlier.setdefault(prefix, [])
        if len(alike) < _MAX_ALIKE:
            alike.append((rule, place, match))
        if covering is not None:
            message = f"match {covering[1]} of rule {covering[0]} takes every request of this one"
            yield here.at(rule, "match", place).warning("W0118", message, "put the longer prefix first")


def _prefixed(rules: Sequence[HttpRoute]) -> Iterator[_Placed]:
    for index, rule in enumerate(rules):
        for place, match in enumerate(rule.match):
            if match.uri is not None and match.uri.prefix:
                yield index, place, match


def _covers(first: HttpMatchRequest, second: HttpMatchRequest) -> bool:
    """Whether everything that the second asks for, the first asks for too, or less."""
    assert first.uri is not None
    assert second.uri is not None
    if not (second.uri.prefix or "").startswith(first.uri.prefix or "") or first.port != second.port:
        return False
    singles = (
        (first.method, second.method),
        (first.authority, second.authority),
        (first.scheme, second.scheme),
        (first.source_namespace, second.source_namespace),
        (first.gateways or None, second.gateways or None),
    )
    if any(wanted is not None and wanted != given for wanted, given in singles):
        return False
    return all(
        mine.items() <= theirs.items()
        for mine, theirs in (
            (first.headers, second.headers),
            (first.query_params, second.query_params),
            (first.without_headers, second.without_headers),
            (first.source_labels, second.source_labels),
        )
    )
