"""API tokens, asked for and taken back: ``/weft/v1/api-tokens``."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.errors import forbidden
from weft.api.gate import subject_of
from weft.api.permissions import Scope
from weft.api.questions import body_of, missing, own, routes_of
from weft.api.subjects import Subject
from weft.api.tokens import DEFAULT_TTL, ApiToken, ApiTokens
from weft.kit.clock import Clock


class _Wanted(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    user: str = ""
    groups: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    ttl_seconds: float = DEFAULT_TTL


def token_routes(tokens: ApiTokens, authorizer: Authorizer, clock: Clock) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""
    questions = _Questions(tokens, authorizer, clock)
    return routes_of(
        [
            ("GET", "/api-tokens", questions.all),
            ("POST", "/api-tokens", questions.create),
            ("DELETE", "/api-tokens/{id}", questions.revoke),
        ]
    )


class _Questions:
    def __init__(self, tokens: ApiTokens, authorizer: Authorizer, clock: Clock) -> None:
        self._tokens = tokens
        self._authorizer = authorizer
        self._clock = clock

    async def all(self, request: Request) -> Any:
        """The API tokens that hold: the caller's own, and all for who may list them."""
        subject = subject_of(request)
        every = await self._authorizer.allows(subject, own("list", "apitokens"))
        now = self._clock.now()
        tokens = await self._tokens.all()
        return {"items": [_told(one, now) for one in tokens if every or one.user == subject.name]}

    async def create(self, request: Request) -> Any:
        """A new API token; of somebody else only for who may act as them, never beyond the caller's own limits."""
        wanted = await body_of(request, _Wanted)
        subject = subject_of(request)
        request.state.ask = own("create", "apitokens")
        await self._authorizer.require(subject, request.state.ask)
        scope = Scope(namespaces=wanted.namespaces, verbs=wanted.verbs)
        if not scope.within(subject.scope):
            raise forbidden("a token cannot reach further than the one that creates it")
        owner = await self._owner(subject, wanted)
        token, told = await self._tokens.create(
            msgspec.structs.replace(owner, scope=scope), wanted.ttl_seconds, by=subject.name
        )
        return {"token": token, **_told(told, self._clock.now())}

    async def _owner(self, subject: Subject, wanted: _Wanted) -> Subject:
        own = not wanted.user or wanted.user == subject.name
        if own and set(wanted.groups) <= set(subject.groups):
            return msgspec.structs.replace(subject, groups=wanted.groups)
        return await self._authorizer.impersonated(subject, wanted.user or subject.name, wanted.groups)

    async def revoke(self, request: Request) -> Any:
        """One API token less; everybody may revoke their own."""
        token_id = request.path_params["id"]
        subject = subject_of(request)
        known = {token.id: token for token in await self._tokens.all()}
        every = await self._authorizer.allows(subject, own("delete", "apitokens", name=token_id))
        if token_id not in known or not (every or known[token_id].user == subject.name):
            raise missing(f"there is no API token {token_id}")
        await self._tokens.revoke(token_id)
        return {}


def _told(token: ApiToken, now: float) -> dict[str, Any]:
    return {
        "id": token.id,
        "user": token.user,
        "groups": token.groups,
        "namespaces": token.scope.namespaces,
        "verbs": token.scope.verbs,
        "createdBy": token.created_by,
        "expiresIn": token.expires - now,
    }
