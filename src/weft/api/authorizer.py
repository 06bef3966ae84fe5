"""May this subject do that? Answered from the roles and bindings in the store, as they are now.

Everything is refused that no role allows. ``system:masters``, the group of the administrator's token, is not asked.
"""

from collections.abc import Callable, Sequence

import msgspec

from weft.api.builtin_roles import AUTHENTICATED, EVERYBODY_MAY, MASTERS, built_in_roles, own_service
from weft.api.errors import ApiError, forbidden, named
from weft.api.permissions import RBAC_GROUP, Ask, Rule, allows, covered
from weft.api.roles import Grant, Roles, account_of, is_rbac, rules_of_content
from weft.api.subjects import Subject
from weft.dialects.kinds import Kind
from weft.model.document import Document, Key, Snapshot
from weft.store.source import Store

_decode = msgspec.json.Decoder().decode
_EVERYTHING = (
    Rule(verbs=("*",), groups=("*",), resources=("*",)),
    Rule(verbs=("*",), paths=("*",)),
)
_PLURALS = {"Role": "roles", "ClusterRole": "clusterroles"}

Judge = Callable[[Ask], bool]
"""Whether one subject may do something, at one moment."""


class Authorizer:
    """Decides for every request; reads the store, and its documents again only when one of them changed."""

    def __init__(self, store: Store, kinds: Sequence[Kind]) -> None:
        self._store = store
        self.built_in = built_in_roles(kinds)
        self._seen: Snapshot | None = None
        self._roles = Roles((), self.built_in)
        self._documents: tuple[Document, ...] = ()

    async def judge(self, subject: Subject) -> Judge:
        """What decides for a subject, for many questions at one moment."""
        grants = await self._grants(subject)
        return lambda ask: (
            subject.scope.admits(ask)
            and any(grant.namespace in ("", ask.namespace) and allows(grant.rule, ask) for grant in grants)
        )

    async def allows(self, subject: Subject, ask: Ask) -> bool:
        """Whether a subject may do something."""
        return (await self.judge(subject))(ask)

    async def require(self, subject: Subject, ask: Ask) -> None:
        """Raises ``ApiError`` 403 when a subject may not do something."""
        if not await self.allows(subject, ask):
            raise _refusal(subject, ask)

    async def rules(self, subject: Subject, namespace: str) -> tuple[Rule, ...]:
        """Every rule that a subject has in a namespace."""
        grants = await self._grants(subject)
        return tuple(grant.rule for grant in grants if grant.namespace in ("", namespace))

    async def impersonated(self, subject: Subject, name: str, groups: tuple[str, ...]) -> Subject:
        """The subject that another one wants to be. Raises ``ApiError`` 403. The limits of the credential stay."""
        await self.require(subject, Ask(verb="impersonate", resource="users", name=name))
        for group in groups:
            await self.require(subject, Ask(verb="impersonate", resource="groups", name=group))
        every = tuple(dict.fromkeys((*groups, AUTHENTICATED)))
        return msgspec.structs.replace(subject, name=name, groups=every, via=subject.name)

    async def guard(self, subject: Subject, document: Document) -> None:
        """Refuse a role or a binding that would give more than its writer has. Raises ``ApiError`` 403.

        As in Kubernetes, the verbs ``escalate`` on roles and ``bind`` on the role that is given lift this.
        """
        if not is_rbac(document):
            return
        key = document.key
        if key.kind == "ClusterRole" and any(role.name == key.name for role in self.built_in):
            raise forbidden(f'clusterroles.{RBAC_GROUP} "{key.name}" is built in: choose another name')
        content = _decode(document.content)
        if key.kind in _PLURALS:
            await self._refuse_escalation(
                subject, rules_of_content(content), _lifting("escalate", key, key.kind, key.name)
            )
            return
        reference = content["roleRef"]
        await self._refresh()
        rules = self._roles.rules_of(reference["kind"], key.namespace, reference["name"])
        lifting = _lifting("bind", key, reference["kind"], reference["name"])
        if not rules and not await self.allows(subject, lifting):
            raise forbidden(f'{lifting.object}allowing nothing yet, so it cannot be bound by user "{subject.name}"')
        await self._refuse_escalation(subject, rules or (), lifting)

    async def _refuse_escalation(self, subject: Subject, rules: tuple[Rule, ...], lifted: Ask) -> None:
        if await self.allows(subject, lifted):
            return
        owned = () if subject.scope.verbs else await self.rules(subject, lifted.namespace)
        for rule in rules:
            if not covered(rule, owned):
                what = ", ".join(rule.resources or rule.paths)
                raise forbidden(
                    f'user "{subject.name}" is attempting to grant permissions not currently held: '
                    f"{', '.join(rule.verbs)} on {what}"
                )

    async def _grants(self, subject: Subject) -> tuple[Grant, ...]:
        if MASTERS in subject.groups:
            return tuple(Grant(namespace="", rule=rule) for rule in _EVERYTHING)
        await self._refresh()
        everybody = (Grant(namespace="", rule=rule) for rule in EVERYBODY_MAY)
        namespace, account = account_of(subject)
        own = (Grant(namespace=namespace, rule=own_service(account)),) if account else ()
        return (*everybody, *own, *self._roles.grants(subject))

    async def _refresh(self) -> None:
        snapshot = await self._store.snapshot()
        if snapshot is self._seen:
            return
        self._seen = snapshot
        documents = tuple(document for document in snapshot.documents if is_rbac(document))
        if documents != self._documents:
            self._documents = documents
            self._roles = Roles(documents, self.built_in)


def _lifting(verb: str, key: Key, kind: str, name: str) -> Ask:
    """What lets somebody write a role or give it without having all of it."""
    return Ask(verb=verb, group=RBAC_GROUP, resource=_PLURALS[kind], namespace=key.namespace, name=name)


def _refusal(subject: Subject, ask: Ask) -> ApiError:
    message = f'{ask.object}forbidden: User "{subject.name}" cannot {ask.told}'
    return forbidden(message, named(ask.resource, ask.group, ask.name))
