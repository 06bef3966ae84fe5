"""Access policies as entries: a name, a predicate, and the beginnings of paths and identities by which it is found.

What an entry needs for sure lets Envoy leave out the others: an entry is keyed by paths if every operation of its rule
names some, and by callers if every source does.
"""

from collections.abc import Iterable, Iterator, Sequence

from weft.compiler.access.conditions import Port, Reading, condition
from weft.compiler.access.predicates import Truth, all_of, any_of
from weft.kit.value import Value
from weft.model.authorization import AccessPolicy, AccessRule, Action, Attribute, Condition, Pattern, Template, Together
from weft.model.match import Exact, Prefix

_MOST_KEYS = 64


class Entry:
    """One rule. ``paths`` and ``callers`` are beginnings, one of which a request must have; ``None``: any."""

    __slots__ = ("callers", "name", "paths", "predicate")

    def __init__(
        self, name: str, predicate: Truth, paths: tuple[str, ...] | None = None, callers: tuple[str, ...] | None = None
    ) -> None:
        self.name = name
        self.predicate = predicate
        self.paths = paths
        self.callers = callers


class Setting(Value):
    """Where rules are asked. ``mesh_only``: every caller with a certificate is of one of the trust domains."""

    port: Port
    trust_domains: tuple[str, ...]
    hardened: bool
    mesh_only: bool


def entries_of(policies: Iterable[AccessPolicy], setting: Setting, prefix: str = "") -> Iterator[Entry]:
    """The rules that can match at a port; names are Istio's, ``ns[foo]-policy[p]-rule[0]``, after a prefix."""
    for policy in policies:
        for index, rule in enumerate(policy.rules):
            name = f"{prefix}ns[{policy.namespace}]-policy[{policy.name}]-rule[{index}]"
            entry = _entry(name, rule, reading_of(policy.action, setting), setting)
            if entry.predicate is not False:
                yield entry


def reading_of(action: Action, setting: Setting) -> Reading:
    """What is ambiguous is refused: what allows is read narrowly, what denies widely."""
    if not setting.hardened:
        return Reading.AS_ISTIO
    return Reading.NARROW if action is Action.ALLOW else Reading.WIDE


def _entry(name: str, rule: AccessRule, reading: Reading, setting: Setting) -> Entry:
    def together(conditions: Together) -> Truth:
        return all_of(condition(one, setting.port, reading) for one in conditions)

    def one_of(alternatives: Sequence[Together]) -> Truth:
        return any_of(together(one) for one in alternatives) if alternatives else True

    # What is cheap and rules out much comes first: Envoy stops at the first part that does not hold.
    predicate = all_of((one_of(rule.operations), one_of(rule.sources), together(rule.when)))
    return Entry(name, predicate, _paths(rule), _callers(rule, setting))


def _paths(rule: AccessRule) -> tuple[str, ...] | None:
    found: list[str] = []
    for operation in rule.operations:
        begun = _beginnings(_wanted(operation, Attribute.PATH))
        if not begun:
            return None
        found += begun
    return _keys(found)


def _callers(rule: AccessRule, setting: Setting) -> tuple[str, ...] | None:
    found: list[str] = []
    if not setting.port.tls:
        return None
    for source in rule.sources:
        begun = _identities(source, setting)
        if not begun:
            return None
        found += begun
    return _keys(found)


def _keys(found: list[str]) -> tuple[str, ...] | None:
    """So many keys for one rule would cost more than they save."""
    unique = tuple(dict.fromkeys(found))
    return unique if 0 < len(unique) <= _MOST_KEYS else None


def _wanted(conditions: Sequence[Condition], attribute: Attribute) -> tuple[Pattern, ...]:
    return next((one.any_of for one in conditions if one.attribute is attribute and one.any_of), ())


def _identities(source: Together, setting: Setting) -> list[str]:
    """How the certificate of a caller begins that a source means; none if it can be anyone's."""
    if principals := _beginnings(_wanted(source, Attribute.PRINCIPAL)):
        return [f"spiffe://{one}" for one in principals]
    if not setting.mesh_only or not setting.hardened:
        return []
    places = [f"ns/{one.value}/" for one in _wanted(source, Attribute.NAMESPACE) if isinstance(one, Exact)]
    if len(places) != len(_wanted(source, Attribute.NAMESPACE)):
        return []
    for one in _wanted(source, Attribute.ACCOUNT):
        assert isinstance(one, Exact)
        namespace, _, account = one.value.partition("/")
        places.append(f"ns/{namespace}/sa/{account}")
    return [f"spiffe://{domain}/{place}" for domain in setting.trust_domains for place in places]


def _beginnings(patterns: Sequence[Pattern]) -> list[str]:
    """How a text begins that has one of some patterns; none if it can be anything."""
    found: list[str] = []
    for pattern in patterns:
        match pattern:
            case Exact(value=value) | Prefix(value=value):
                found.append(value)
            case Template(value=value):
                found.append(value.partition("{")[0])
            case _:
                return []
    return found if all(len(one) > 1 for one in found) else []
