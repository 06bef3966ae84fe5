"""Access policies and token policies in a settled order, so that equal documents make equal proxies."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from weft.model.authentication import KeySource, TokenPolicy
from weft.model.authorization import PEER, AccessPolicy, AccessRule, Action
from weft.model.finding import Finding, Severity
from weft.model.mesh import Mesh
from weft.model.peer import peer_rules
from weft.model.security import MtlsMode, PeerPolicy
from weft.model.settings import Settings


class Access(NamedTuple):
    """Access policies by name."""

    policies: tuple[AccessPolicy, ...]
    findings: tuple[Finding, ...]


class Tokens(NamedTuple):
    """Token policies, oldest first."""

    policies: tuple[TokenPolicy, ...]
    findings: tuple[Finding, ...]


def linked_access(policies: Iterable[AccessPolicy], peers: Iterable[PeerPolicy], settings: Settings) -> Access:
    """By namespace and name: which is older decides nothing among policies of one action."""
    ordered = tuple(sorted(policies, key=lambda one: (one.namespace, one.name, one.origin.key.kind)))
    open_doors = _evaded(ordered, tuple(peers), settings)
    return Access(ordered, (*_unknown_providers(ordered, settings), *open_doors))


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


def _evaded(policies: Iterable[AccessPolicy], peers: tuple[PeerPolicy, ...], settings: Settings) -> Iterator[Finding]:
    """DENY policies that callers without a certificate evade, because they have no identity to be denied by."""
    for policy in policies:
        if policy.action is not Action.DENY or policy.dry_run or policy.targets:
            continue
        places = [index for index, rule in enumerate(policy.rules) if _by_identity(rule)]
        rules = peer_rules(peers, policy.namespace, settings.root_namespace)
        if not places or rules.mode_of(policy.selector) is MtlsMode.STRICT:
            continue
        yield Finding(
            code="W0254",
            message="callers without a certificate are let in, and a rule that denies by identity never denies them",
            severity=Severity.WARNING,
            document=policy.origin.key,
            path=("spec", "rules", places[0]),
            help="ask for certificates with a PeerAuthentication of mode STRICT",
        )


def _by_identity(rule: AccessRule) -> bool:
    """Whether a rule matches by an identity, so that none is no match."""
    together = (*(condition for source in rule.sources for condition in source), *rule.when)
    return any(one.attribute in PEER and one.any_of for one in together)


def key_sources(mesh: Mesh | None) -> dict[KeySource, int]:
    """Where the keys of issuers are, with the milliseconds that asking may take: the least of those that are said."""
    found: dict[KeySource, int] = {}
    for policy in mesh.token_policies if mesh else ():
        for rule in policy.rules:
            if rule.keys is not None:
                found[rule.keys] = min(rule.timeout, found.get(rule.keys, rule.timeout))
    return found


def unknown_keys(mesh: Mesh) -> Iterator[Finding]:
    """Issuers whose keys are not known, so that their tokens are refused."""
    known = {one.source for one in mesh.keys}
    for policy in mesh.token_policies:
        for index, rule in enumerate(policy.rules):
            if rule.keys is not None and rule.keys not in known:
                yield Finding(
                    code="W0253",
                    message=f"the keys of {rule.issuer} are not known, so its tokens are refused",
                    severity=Severity.WARNING,
                    document=policy.origin.key,
                    path=("spec", "jwtRules", index),
                    help=f"weft asks {rule.keys.uri} again and again; its log says what is wrong",
                )


def linked_tokens(policies: Iterable[TokenPolicy]) -> Tokens:
    """Istio's order: oldest first."""
    return Tokens(tuple(sorted(policies, key=lambda one: one.origin.precedence)), ())
