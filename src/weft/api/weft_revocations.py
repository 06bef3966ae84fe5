"""Certificates that count no more: ``/weft/v1/revocations``, and who has one: ``/weft/v1/certificates``."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.errors import bad_request
from weft.api.gate import subject_of
from weft.api.questions import body_of, missing, own, routes_of
from weft.ca.ledger import Ledger, Line
from weft.ca.revocations import Revocation, Revocations
from weft.kit.clock import Clock
from weft.registry.registry import Registry

_RESOURCE = "revocations"


class _Wanted(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    namespace: str
    service_account: str = ""
    workload: str = ""
    reason: str = ""


def revocation_routes(
    revocations: Revocations, ledger: Ledger, registry: Registry, authorizer: Authorizer, clock: Clock
) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""
    questions = _Questions(revocations, ledger, registry, authorizer, clock)
    return routes_of(
        [
            ("GET", "/certificates", questions.certificates),
            ("GET", "/revocations", questions.all),
            ("POST", "/revocations", questions.revoke),
            ("DELETE", "/revocations/{id}", questions.undo),
        ]
    )


class _Questions:
    def __init__(
        self, revocations: Revocations, ledger: Ledger, registry: Registry, authorizer: Authorizer, clock: Clock
    ) -> None:
        self._revocations = revocations
        self._ledger = ledger
        self._registry = registry
        self._authorizer = authorizer
        self._clock = clock

    async def certificates(self, request: Request) -> Any:
        """Who has a certificate, in the namespaces whose revocations the caller may list."""
        may = await self._authorizer.judge(subject_of(request))
        lines = [one for one in self._ledger.lines() if may(own("list", _RESOURCE, one.identity.namespace))]
        return {"items": [self._told(line) for line in lines]}

    async def all(self, request: Request) -> Any:
        """What is revoked, in the namespaces that the caller may look into."""
        may = await self._authorizer.judge(subject_of(request))
        shown = [one for one in self._revocations.entries() if may(own("list", _RESOURCE, one.namespace))]
        return {"items": [_entry(one, self._clock.now()) for one in shown]}

    async def revoke(self, request: Request) -> Any:
        """Revoke an account, or the workloads of a name."""
        wanted = await body_of(request, _Wanted)
        if bool(wanted.service_account) == bool(wanted.workload):
            raise bad_request("name either a serviceAccount or a workload")
        name = wanted.workload or wanted.service_account
        request.state.ask = own("create", _RESOURCE, wanted.namespace, name)
        subject = subject_of(request)
        await self._authorizer.require(subject, request.state.ask)
        about = (wanted.namespace, name, subject.name, wanted.reason)
        if wanted.workload:
            entries = await self._revocations.revoke_workload(*about)
        else:
            entries = (await self._revocations.revoke_account(*about),)
        for entry in entries:
            await self._registry.evict(entry.namespace, entry.account, entry.name)
        return {"items": [_entry(one, self._clock.now()) for one in entries]}

    async def undo(self, request: Request) -> Any:
        """Take one back."""
        entry_id = request.path_params["id"]
        known = next((one for one in self._revocations.entries() if one.id == entry_id), None)
        may = await self._authorizer.judge(subject_of(request))
        if known is not None:
            request.state.ask = own("delete", _RESOURCE, known.namespace, known.name or known.account)
        if known is None or not may(request.state.ask) or not await self._revocations.undo(entry_id):
            raise missing(f"there is no revocation {entry_id}")
        return {"items": [_entry(known, self._clock.now())]}

    def _told(self, line: Line) -> dict[str, Any]:
        identity = line.identity
        return {
            "workload": line.name,
            "namespace": identity.namespace,
            "serviceAccount": identity.account,
            "expiresIn": line.expires - self._clock.now(),
            "revoked": self._revocations.bars(identity, line.certificates[-1][0]),
        }


def _entry(entry: Revocation, now: float) -> dict[str, Any]:
    return {
        "id": entry.id,
        "namespace": entry.namespace,
        "serviceAccount": entry.account,
        "workload": entry.name,
        "wholeAccount": not entry.line,
        "age": now - entry.at,
        "by": entry.by,
        "reason": entry.reason,
    }
