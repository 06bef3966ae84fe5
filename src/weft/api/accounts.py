"""Workloads as subjects: what an account may serve is said by the roles that people have."""

from collections.abc import Awaitable, Callable

from weft.api.authorizer import Authorizer
from weft.api.builtin_roles import AUTHENTICATED, SERVE
from weft.api.permissions import Ask
from weft.api.questions import own
from weft.api.roles import account_name
from weft.api.subjects import Subject
from weft.model.identity import Identity
from weft.registry.rights import Claim, MayServe

_ACCOUNTS = "system:serviceaccounts"


def subject_of_account(identity: Identity) -> Subject:
    """An account as Kubernetes calls it, with its groups."""
    groups = (_ACCOUNTS, f"{_ACCOUNTS}:{identity.namespace}", AUTHENTICATED)
    return Subject(name=account_name(identity.namespace, identity.account), groups=groups)


def serving_by_roles(authorizer: Authorizer) -> MayServe:
    """Answers from the roles as they are now."""

    async def may_serve(identity: Identity, claim: Claim) -> bool:
        if claim == Claim(resource="services", namespace=identity.namespace, name=identity.account):
            return True  # as the roles say, without asking them at every heartbeat
        ask = Ask(verb=SERVE, group=claim.group, resource=claim.resource, namespace=claim.namespace, name=claim.name)
        return await authorizer.allows(subject_of_account(identity), ask)

    return may_serve


def joining_by_roles(authorizer: Authorizer) -> Callable[[Identity, str], Awaitable[bool]]:
    """Whether a host may let an account of its namespace join: ``create`` on ``jointokens`` of the account's name."""

    async def may_let_join(host: Identity, account: str) -> bool:
        ask = own("create", "jointokens", host.namespace, account)
        return await authorizer.allows(subject_of_account(host), ask)

    return may_let_join


def reading_by_roles(authorizer: Authorizer) -> Callable[[Identity, str], Awaitable[bool]]:
    """Whether an account may read a Secret of its namespace, as Istio asks of gateways' accounts."""

    async def may_read(identity: Identity, name: str) -> bool:
        ask = Ask(verb="get", resource="secrets", namespace=identity.namespace, name=name)
        return await authorizer.allows(subject_of_account(identity), ask)

    return may_read
