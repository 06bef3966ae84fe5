"""What Istio says of an AuthorizationPolicy, and what weft adds where a rule would silently mean something else."""

from collections.abc import Iterator, Sequence
from typing import Any

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.attributes import ADVICE, attribute_of
from weft.dialects.istio.checks.access_values import check_values
from weft.dialects.istio.checks.common import check_policy_selector
from weft.dialects.istio.checks.policy_targets import check_target_refs
from weft.dialects.istio.types.authorization_policy import AuthorizationPolicy, Operation, Rule, Source, When
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.model.authorization import HTTP_ONLY, Attribute

DRY_RUN = "istio.io/dry-run"
TRUE = ("1", "t", "T", "TRUE", "true", "True")
FALSE = ("0", "f", "F", "FALSE", "false", "False")
"""What Go reads as a boolean."""

SOURCES = {
    "principals": Attribute.PRINCIPAL,
    "request_principals": Attribute.REQUEST_PRINCIPAL,
    "namespaces": Attribute.NAMESPACE,
    "service_accounts": Attribute.ACCOUNT,
    "trust_domains": Attribute.TRUST_DOMAIN,
    "ip_blocks": Attribute.SOURCE_IP,
    "remote_ip_blocks": Attribute.REMOTE_IP,
}
OPERATIONS = {
    "hosts": Attribute.HOST,
    "ports": Attribute.DESTINATION_PORT,
    "methods": Attribute.METHOD,
    "paths": Attribute.PATH,
}
_NOT_CUSTOM = frozenset(
    {
        Attribute.PRINCIPAL,
        Attribute.NAMESPACE,
        Attribute.REQUEST_PRINCIPAL,
        Attribute.AUDIENCE,
        Attribute.PRESENTER,
        Attribute.CLAIM,
    }
)
_ACCOUNT_FIELDS = ("service_accounts", "not_service_accounts")
_IDENTITY_FIELDS = ("principals", "not_principals", "namespaces", "not_namespaces")


def check_authorization_policy(spec: AuthorizationPolicy, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape (Istio: ``ValidateAuthorizationPolicy``)."""
    here = Here(path=("spec",))
    action = spec.action or "ALLOW"
    yield from check_metadata(metadata)
    yield from check_policy_selector(here.at("selector"), spec.selector)
    yield from check_target_refs(here, spec.selector, spec.target_ref, spec.target_refs)
    yield from _check_provider(here, spec, action)
    yield from _check_dry_run(metadata, action)
    if action == "DENY" and not spec.rules:
        advice = "add an empty rule, {}, to deny every request"
        yield here.error("W0171", "a DENY policy without rules never denies anything", advice)
    for index, rule in enumerate(spec.rules):
        yield from _check_rule(here.at("rules", index), rule, action)


def _check_provider(here: Here, spec: AuthorizationPolicy, action: str) -> Findings:
    if action == "CUSTOM":
        if spec.provider is None or not spec.provider.name:
            yield here.at("provider").error(
                "W0105", "a CUSTOM policy needs a provider", "set provider.name to one of the mesh's", at_key=True
            )
    elif spec.provider is not None:
        yield here.at("provider").error("W0171", f"an {action} policy has no provider", "remove it", at_key=True)


def _check_dry_run(metadata: ObjectMeta, action: str) -> Findings:
    said = metadata.annotations.get(DRY_RUN)
    if said is None:
        return
    here = Here(path=("metadata", "annotations", DRY_RUN))
    if said not in (*TRUE, *FALSE):
        yield here.error("W0171", f'"{said[:80]}" is neither true nor false', 'write "true" or "false"')
    elif action not in ("ALLOW", "DENY"):
        yield here.error("W0171", f"a policy for {action} cannot be tried with {DRY_RUN}", "use ALLOW or DENY")


def _check_rule(here: Here, rule: Rule, action: str) -> Findings:
    for name, given in (("from", rule.from_), ("to", rule.to), ("when", rule.when)):
        field = "from_" if name == "from" else name
        if field in rule.model_fields_set and not given:
            yield here.at(name).error("W0105", f"{name} is an empty list", "remove it to mean any", at_key=True)
    for index, caller in enumerate(rule.from_):
        yield from _check_source(here.at("from", index, "source"), caller.source, action)
    for index, asked in enumerate(rule.to):
        yield from _check_operation(here.at("to", index, "operation"), asked.operation)
    for index, condition in enumerate(rule.when):
        yield from _check_condition(here.at("when", index), condition, action)
    if action == "DENY" and _denies_all_bytes(rule):
        message = "on ports that are not HTTP this denies every connection, because bytes have nothing that it asks for"
        yield here.warning("W0172", message, "name the HTTP ports in to.operation.ports")


def _given(message: Source | Operation) -> dict[str, tuple[str, ...]]:
    """The fields that are set, by their names in Python."""
    values: dict[str, Any] = {name: getattr(message, name) for name in message.model_fields_set}
    return {name: value for name, value in values.items() if isinstance(value, tuple)}


def _check_source(here: Here, source: Source | None, action: str) -> Findings:
    given = _given(source) if source else {}
    if source is None or not any(given.values()):
        yield here.error("W0105", "the source says nothing", "remove it to mean every caller", at_key=True)
        return
    if any(given.get(name) for name in _ACCOUNT_FIELDS) and any(given.get(name) for name in _IDENTITY_FIELDS):
        message = "serviceAccounts stand alone: neither namespaces nor principals can be set beside them"
        yield here.error("W0106", message, "write principals instead")
    yield from _check_fields(here, given, SOURCES)
    if action == "CUSTOM":
        for name, values in given.items():
            if values and SOURCES[_positive(name)] in _NOT_CUSTOM:
                yield _not_custom(here.at(_camel(name)), _camel(name))


def _check_operation(here: Here, operation: Operation | None) -> Findings:
    given = _given(operation) if operation else {}
    if not any(given.values()):
        yield here.error("W0105", "the operation says nothing", "remove it to mean everything", at_key=True)
        return
    yield from _check_fields(here, given, OPERATIONS)


def _check_fields(here: Here, given: dict[str, tuple[str, ...]], fields: dict[str, Attribute]) -> Findings:
    for name, values in given.items():
        place = here.at(_camel(name))
        if not values:
            yield place.error("W0105", f"{_camel(name)} is an empty list", "remove it to mean any", at_key=True)
        yield from check_values(place, fields[_positive(name)], values)


def _check_condition(here: Here, when: When, action: str) -> Findings:
    if not when.key:
        yield here.at("key").error("W0105", "the key is empty", ADVICE)
        return
    if not when.values and not when.not_values:
        yield here.error("W0105", f"{when.key[:80]} is asked for no value", "set values or notValues", at_key=True)
    found = attribute_of(when.key)
    if found is None:
        yield here.at("key").error("W0170", f'"{when.key[:120]}" is not an attribute', ADVICE)
        return
    yield from check_values(here.at("values"), found[0], when.values)
    yield from check_values(here.at("notValues"), found[0], when.not_values)
    if action == "CUSTOM" and found[0] in _NOT_CUSTOM:
        yield _not_custom(here.at("key"), when.key)


def _not_custom(here: Here, name: str) -> Any:
    return here.error("W0171", f"a CUSTOM policy cannot ask for {name[:80]}", "let the provider look at it")


def _positive(name: str) -> str:
    return name.removeprefix("not_")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _denies_all_bytes(rule: Rule) -> bool:
    """Istio warns of rules with HTTP fields that do not say for which ports."""
    asked = set(_attributes(rule))
    return bool(asked & HTTP_ONLY) and Attribute.DESTINATION_PORT not in asked


def _attributes(rule: Rule) -> Iterator[Attribute]:
    for caller in rule.from_:
        yield from (SOURCES[_positive(name)] for name, values in _given(caller.source or Source()).items() if values)
    for asked in rule.to:
        names = _given(asked.operation or Operation())
        yield from (OPERATIONS[_positive(name)] for name, values in names.items() if values)
    yield from _of_conditions(rule.when)


def _of_conditions(conditions: Sequence[When]) -> Iterator[Attribute]:
    for one in conditions:
        if found := attribute_of(one.key):
            yield found[0]
