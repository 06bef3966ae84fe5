"""Checks that several kinds share: hosts, ports, durations, percentages, selectors, expressions."""

from collections.abc import Mapping

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.types.matching import Destination, Percent, PolicyWorkloadSelector, StringMatch
from weft.dialects.regex import check_regex
from weft.dialects.syntax import fault_in_wildcard_domain, is_istio_label, is_label_key, is_label_value, nanoseconds

MAX_PORT = 65_535
_MILLISECOND = 10**6


def check_port(here: Here, number: int) -> Findings:
    """A port by its number."""
    if not 0 < number <= MAX_PORT:
        yield here.error("W0115", f"{number} is not a port", "use 1 to 65535")


def check_duration(here: Here, duration: str | None) -> Findings:
    """Istio's ``ValidateDuration``: at least a millisecond, and no parts of one."""
    if duration is None:
        return
    value = nanoseconds(duration)
    if value < _MILLISECOND:
        yield here.error("W0108", f"{duration} is shorter than 1ms", "leave it out for no limit, or use 1ms and more")
    elif value % _MILLISECOND:
        yield here.error("W0108", f"{duration} is more precise than 1ms", "use whole milliseconds")


def check_percent(here: Here, percent: Percent | None) -> Findings:
    """Istio's ``validatePercentage``, for shares of faults: below 0.0001 nothing would ever be chosen."""
    value = percent.value if percent else None
    if value is not None and not (value == 0 or 0.0001 <= value <= 100):
        yield here.at("value").error("W0111", f"{value:g} is not a percentage", "use 0, or 0.0001 to 100")


def check_host(here: Here, host: str) -> Findings:
    """A host name that may begin with ``*``."""
    fault = fault_in_wildcard_domain(host)
    if fault:
        yield here.error("W0107", fault)


def check_destination(here: Here, destination: Destination) -> Findings:
    """Istio's ``validateDestination``."""
    if destination.host == "*":
        yield here.at("host").error("W0107", "a destination cannot be *", "name a service")
    else:
        yield from check_host(here.at("host"), destination.host)
    if destination.subset is not None:
        yield from check_subset_name(here.at("subset"), destination.subset)
    if destination.port is not None:
        yield from check_port(here.at("port", "number"), destination.port.number or 0)


def check_subset_name(here: Here, name: str) -> Findings:
    """One DNS label; empty in a destination means none."""
    if name and not is_istio_label(name):
        yield here.error("W0107", f'"{name[:80]}" cannot be the name of a subset', "use letters, digits and -")


def check_text(here: Here, match: StringMatch, what: str, *, prefix_may_be_empty: bool = False) -> Findings:
    """A condition on a text (Istio: ``validateStringMatch``); the empty one asks for presence."""
    given = [name for name in ("exact", "prefix", "regex") if getattr(match, name) is not None]
    if len(given) > 1:
        yield here.error("W0106", f"{what}: only one of {' and '.join(given)} can be set", "remove one")
    if match.prefix == "" and not prefix_may_be_empty:
        yield here.at("prefix").error("W0122", f"{what}: the prefix is empty", "{} matches everything that is there")
    if match.regex == "":
        yield here.at("regex").error("W0122", f"{what}: the expression is empty", "{} matches everything that is there")
    elif match.regex is not None and match.regex != "*":
        yield from check_regex(here.at("regex"), match.regex)


def check_labels(here: Here, labels: Mapping[str, str]) -> Findings:
    """Keys and values as Kubernetes allows them."""
    for key, value in labels.items():
        if not is_label_key(key):
            yield here.at(key).error("W0114", f'"{key[:80]}" is not a valid key of a label', at_key=True)
        if not is_label_value(value):
            yield here.at(key).error("W0114", f'"{value[:80]}" is not a valid value of a label')


def check_selected(here: Here, labels: Mapping[str, str]) -> Findings:
    """Labels of a selector: no wildcards, no empty keys (Istio: ``validateWorkloadSelector``)."""
    for key, value in labels.items():
        if not key:
            yield here.at(key).error("W0114", "the key of a label is empty", at_key=True)
        if "*" in key or "*" in value:
            yield here.at(key).error("W0114", f'"{key[:80]}={value[:80]}" has a wildcard', "name a value")


def check_policy_selector(here: Here, selector: PolicyWorkloadSelector | None) -> Findings:
    """The selector of a policy; without labels it selects everything, which is seldom meant."""
    if selector is None:
        return
    yield from check_selected(here.at("matchLabels"), selector.match_labels)
    if not selector.match_labels:
        yield here.warning("W0114", "the selector has no labels, so it selects every workload", _NO_LABELS)


_NO_LABELS = "remove the selector if that is meant"
