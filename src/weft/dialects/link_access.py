"""Access policies and token policies in a settled order, so that equal documents make equal proxies."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from weft.model.authentication import TokenPolicy
from weft.model.authorization import AccessPolicy, Action
from weft.model.finding import Finding, Severity
from weft.model.settings import Settings


class Access(NamedTuple):
    """Access policies by name."""

    policies: tuple[AccessPolicy, ...]
    findings: tuple[Finding, ...]


class Tokens(NamedTuple):
    """Token policies, oldest first."""

    policies: tuple[TokenPolicy, ...]
    findings: tuple[Finding, ...]


def linked_access(policies: Iterable[AccessPolicy], settings: Settings) -> Access:
    """By namespace and name: which is older decides nothing among policies of one action."""
    ordered = tuple(sorted(policies, key=lambda one: (one.namespace, one.name, one.origin.key.kind)))
    return Access(ordered, tuple(_unknown_providers(ordered, settings)))


def _unknown_providers(policies: Iterable[AccessPolicy], settings: Settings) -> Iterator[Finding]:
    known = [provider.name for provider in settings.providers]
    for policy in policies:
        if policy.action is Action.CUSTOM and policy.provider not in known:
            yield Finding(
                code="W0250",
                message=f'no extension provider "{policy.provider}" authorizes: what the policy is about is denied',
                severity=Severity.WARNING,
                document=policy.origin.key,
                path=("spec", "provider", "name"),
                help=f"known are {', '.join(known)}" if known else "add it to extensionProviders of the mesh",
            )


def linked_tokens(policies: Iterable[TokenPolicy]) -> Tokens:
    """Istio's order: oldest first."""
    return Tokens(tuple(sorted(policies, key=lambda one: one.origin.precedence)), ())
