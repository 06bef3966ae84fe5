"""An AuthorizationPolicy in the model's words."""

from collections.abc import Mapping, Sequence
from typing import Any

from weft.dialects.fragment import Fragment
from weft.dialects.istio.attributes import attribute_of
from weft.dialects.istio.checks.authorization_policy import DRY_RUN, OPERATIONS, SOURCES, TRUE
from weft.dialects.istio.types.authorization_policy import AuthorizationPolicy, Operation, Rule, Source, When
from weft.dialects.istio.types.target_refs import PolicyTargetReference
from weft.dialects.served import Subject
from weft.kit.value import labels_of
from weft.model.authorization import (
    AccessPolicy,
    AccessRule,
    Action,
    Attribute,
    Condition,
    Listed,
    Pattern,
    Subnet,
    Suffix,
    TargetRef,
    Template,
    Together,
)
from weft.model.document import Key, Origin
from weft.model.match import Exact, Prefix, Present

_ADDRESSES = (Attribute.SOURCE_IP, Attribute.REMOTE_IP, Attribute.DESTINATION_IP)


def translate(spec: AuthorizationPolicy, subject: Subject) -> Fragment:
    """One policy."""
    policy = AccessPolicy(
        origin=subject.origin,
        namespace=subject.namespace,
        action=Action(spec.action or "ALLOW"),
        rules=tuple(_rule(rule, subject.namespace) for rule in spec.rules),
        selector=labels_of(spec.selector.match_labels if spec.selector else {}),
        targets=targets(spec.target_ref, spec.target_refs),
        provider=(spec.provider.name or "") if spec.provider else "",
        dry_run=subject.metadata.annotations.get(DRY_RUN) in TRUE,
    )
    return Fragment(key=subject.key, access_policies=(policy,))


def deny_instead(content: Mapping[str, Any], key: Key, origin: Origin) -> Fragment:
    """A policy that cannot be read denies everything to the workloads that it is for, as far as that can be told."""
    spec = content.get("spec")
    selector = spec.get("selector") if isinstance(spec, Mapping) else None
    labels = selector.get("matchLabels") if isinstance(selector, Mapping) else None
    known = isinstance(labels, Mapping) and all(isinstance(pair, str) for item in labels.items() for pair in item)
    policy = AccessPolicy(
        origin=origin,
        namespace=key.namespace,
        action=Action.DENY,
        rules=(AccessRule(),),
        selector=labels_of(labels if known and isinstance(labels, Mapping) else {}),
    )
    return Fragment(key=key, access_policies=(policy,))


def targets(one: PolicyTargetReference | None, several: Sequence[PolicyTargetReference]) -> tuple[TargetRef, ...]:
    """What a policy is attached to."""
    named = (*((one,) if one else ()), *several)
    return tuple(TargetRef(group=target.group or "", kind=target.kind, name=target.name) for target in named)


def _rule(rule: Rule, namespace: str) -> AccessRule:
    sources = (_fields(caller.source or Source(), SOURCES, namespace) for caller in rule.from_)
    operations = (_fields(asked.operation or Operation(), OPERATIONS, namespace) for asked in rule.to)
    return AccessRule(
        sources=tuple(sources),
        operations=tuple(operations),
        when=tuple(_condition(when, namespace) for when in rule.when),
    )


def _fields(message: Source | Operation, fields: Mapping[str, Attribute], namespace: str) -> Together:
    found = []
    for name, attribute in fields.items():
        values, others = getattr(message, name), getattr(message, f"not_{name}")
        if values or others:
            found.append(
                Condition(
                    attribute=attribute,
                    any_of=_patterns(attribute, values, namespace),
                    none_of=_patterns(attribute, others, namespace),
                )
            )
    return tuple(found)


def _condition(when: When, namespace: str) -> Condition:
    named = attribute_of(when.key)
    assert named is not None
    attribute, keys = named
    return Condition(
        attribute=attribute,
        keys=keys,
        any_of=_patterns(attribute, when.values, namespace),
        none_of=_patterns(attribute, when.not_values, namespace),
    )


def _patterns(attribute: Attribute, values: Sequence[str], namespace: str) -> tuple[Pattern, ...]:
    return tuple(dict.fromkeys(_pattern(attribute, value, namespace) for value in values))


def _pattern(attribute: Attribute, value: str, namespace: str) -> Pattern:
    if attribute in _ADDRESSES:
        address, _, bits = value.partition("/")
        return Subnet(address=address, bits=int(bits) if bits else 128 if ":" in address else 32)
    if attribute is Attribute.DESTINATION_PORT:
        return Exact(value=str(int(value)))
    if attribute is Attribute.ACCOUNT:
        return Exact(value=value if "/" in value else f"{namespace}/{value}")
    if attribute is Attribute.PATH and "{" in value:
        return Template(value=value)
    if attribute is Attribute.METADATA and value.startswith("[") and value.endswith("]"):
        return Listed(item=text_pattern(value[1:-1]))
    return text_pattern(value)


def text_pattern(value: str) -> Exact | Prefix | Suffix | Present:
    """A ``*`` at one end stands for anything there, alone for anything at all."""
    if value == "*":
        return Present()
    if value.startswith("*"):
        return Suffix(value=value[1:])
    return Prefix(value=value[:-1]) if value.endswith("*") else Exact(value=value)
