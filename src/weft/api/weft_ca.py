"""The certificate authority, asked and told: ``/weft/v1/ca``."""

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.errors import bad_request
from weft.api.gate import subject_of
from weft.api.questions import body_of, own, routes_of
from weft.ca.authority import Authority
from weft.ca.roots import Phase, Root
from weft.ca.rotator import Rotator
from weft.kit.clock import Clock

_MOST_NAMED = 20


class _Wanted(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    action: str
    eager: bool = False


def ca_routes(authority: Authority, rotator: Rotator, authorizer: Authorizer, clock: Clock) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""
    actions: dict[str, Callable[[_Wanted], None]] = {
        "begin": lambda wanted: rotator.begin(eager=wanted.eager),
        "abort": lambda _: rotator.abort(),
        "drop": lambda _: rotator.drop(),
    }

    async def allowed(request: Request, verb: str) -> None:
        request.state.ask = own(verb, "authority")
        await authorizer.require(subject_of(request), request.state.ask)

    async def status(request: Request) -> Any:
        await allowed(request, "get")
        return _status(authority, rotator, clock.now())

    async def rotate(request: Request) -> Any:
        await allowed(request, "update")
        wanted = await body_of(request, _Wanted)
        if wanted.action not in actions:
            raise bad_request(f"action must be {', '.join(actions)}")
        actions[wanted.action](wanted)
        return _status(authority, rotator, clock.now())

    return routes_of([("GET", "/ca", status), ("POST", "/ca/rotation", rotate)])


def _status(authority: Authority, rotator: Rotator, now: float) -> dict[str, Any]:
    rotation = authority.rotation
    behind = rotator.behind() if rotation.phase is not Phase.NONE else ()
    return {
        "trustDomain": authority.trust_domain,
        "leafLifetime": authority.lifetime,
        "roots": [_root(root, authority, now) for root in authority.roots],
        "phase": rotation.phase.value,
        "phaseSince": now - rotation.since if rotation.since else 0.0,
        "eager": rotation.eager,
        "workloads": len(rotator.present()),
        "behind": len(behind),
        "behindNames": [f"{one.name}.{one.identity.namespace}" for one in behind[:_MOST_NAMED]],
        "dropIn": _left(authority, now),
    }


def _root(root: Root, authority: Authority, now: float) -> dict[str, Any]:
    return {
        "fingerprint": root.fingerprint,
        "expiresIn": root.expires - now,
        "signs": root is authority.signer,
    }


def _left(authority: Authority, now: float) -> float:
    """Seconds until no certificate of before this phase can be in use."""
    rotation = authority.rotation
    if rotation.eager or rotation.phase not in (Phase.SIGN, Phase.REVERT):
        return 0.0
    return max(rotation.since + authority.lifetime - now, 0.0)
