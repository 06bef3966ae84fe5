"""Kubernetes' v1 ResourceQuota: how many objects a namespace may hold.

What needs nodes (pods, cores, volumes) is accepted, for manifests are shared with clusters, but said to limit nothing.
"""

import re

from weft.dialects.findings import Findings, Here
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.wire import Many, Wire, items, mapping, needed, unset

PLAIN = ("configmaps", "resourcequotas", "secrets", "services")
"""Resources that can be counted by their plain names; any can with ``count/`` before it."""
_COUNT = re.compile(r"count/[a-z0-9-]{1,63}(?:\.[a-z0-9.-]{1,253})?")
_NUMBER = re.compile(r"\d{1,9}")


class ScopedSelectorRequirement(Wire):
    """A condition on pods."""

    scope_name: str = needed("The scope.")
    operator: str = needed("In, NotIn, Exists or DoesNotExist.")
    values: Many[str] = items("Values of In and NotIn.")


class ScopeSelector(Wire):
    """Chooses pods."""

    match_expressions: Many[ScopedSelectorRequirement] = items("Conditions that all must hold.")


class ResourceQuotaSpec(Wire):
    """Limits of a namespace."""

    hard: dict[str, str | int] = mapping(
        "How many objects there may be, by resource: services, count/virtualservices.networking.istio.io."
    )
    scopes: Many[str] = items("Only pods of these scopes count.")
    scope_selector: ScopeSelector | None = unset("Only pods that are chosen count.")


def check_quota(spec: ResourceQuotaSpec, metadata: ObjectMeta) -> Findings:
    """Names and numbers."""
    yield from check_metadata(metadata)
    here = Here(path=("spec", "hard"))
    for name, amount in spec.hard.items():
        if name not in PLAIN and not _COUNT.fullmatch(name):
            message = f'"{name[:80]}" limits nothing here: there are no pods, cores and volumes'
            yield here.at(name).warning("W0128", message, "objects are counted: count/<resource>.<group>", at_key=True)
        elif not _NUMBER.fullmatch(str(amount)):
            yield here.at(name).error("W0102", f"{str(amount)[:80]!r} is no number of objects", "write a whole number")
    if spec.scopes:
        yield Here(path=("spec", "scopes")).unserved("scopes of a ResourceQuota, which choose among pods,")
    if spec.scope_selector is not None:
        yield Here(path=("spec", "scopeSelector")).unserved("scopeSelector, which chooses among pods,")
