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
from weft.ca.ending import Ending, worrying
from weft.ca.roots import Phase
from weft.ca.rotator import Rotator
from weft.ca.signer import Signer
from weft.kit.clock import Clock

_MOST_NAMED = 20


class _Wanted(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    action: str
    eager: bool = False


Endings = Callable[[], tuple[Ending, ...]]


def ca_routes(
    authority: Signer, rotator: Rotator, authorizer: Authorizer, clock: Clock, endings: Endings
) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``; ``endings`` are those of what is not the authority's own."""
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
        return _status(authority, rotator, endings, clock.now())

    async def rotate(request: Request) -> Any:
        await allowed(request, "update")
        wanted = await body_of(request, _Wanted)
        if wanted.action not in actions:
            raise bad_request(f"action must be {', '.join(actions)}")
        actions[wanted.action](wanted)
        return _status(authority, rotator, endings, clock.now())

    return routes_of([("GET", "/ca", status), ("POST", "/ca/rotation", rotate)])


def _status(authority: Signer, rotator: Rotator, endings: Endings, now: float) -> dict[str, Any]:
    rotation = authority.rotation
    behind = rotator.behind()
    return {
        "trustDomain": authority.trust_domain,
        "leafLifetime": authority.lifetime,
        "signer": authority.kind,
        "certificates": [ending_json(one, now) for one in (*authority.endings(), *endings())],
        "phase": rotation.phase.value,
        "phaseSince": now - rotation.since if rotation.since else 0.0,
        "eager": rotation.eager,
        "workloads": len(rotator.present()),
        "behind": len(behind),
        "behindNames": [f"{one.name}.{one.identity.namespace}" for one in behind[:_MOST_NAMED]],
        "dropIn": _left(authority, now),
    }


def ending_json(ending: Ending, now: float) -> dict[str, Any]:
    """Something that ends, as the API shows it; times are seconds from now."""
    return {
        "kind": ending.kind,
        "name": ending.name,
        "expiresIn": ending.expires - now,
        "renewed": ending.renewed,
        "signs": ending.signs,
        "worrying": worrying(ending, now),
    }


def _left(authority: Signer, now: float) -> float:
    """Seconds until no certificate of before this phase can be in use."""
    rotation = authority.rotation
    if rotation.eager or rotation.phase not in (Phase.SIGN, Phase.REVERT):
        return 0.0
    return max(rotation.since + authority.lifetime - now, 0.0)
