"""What a proxy says of itself, by its agent: what it runs, its log levels, its own numbers."""

import re
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.errors import ApiError, bad_request
from weft.api.gate import subject_of
from weft.api.questions import body_of, missing, namespace_of, own, routes_of
from weft.explain.running import compared
from weft.registry.errands import Errands, NoAnswer
from weft.xds.fleet import Fleet

_LEVELS = ("trace", "debug", "info", "warning", "error", "critical", "off")
_LOGGER = re.compile(r"[a-z0-9_]{1,64}")
_ABOUT = {
    "server": "/server_info",
    "memory": "/memory",
    "certificates": "/certs",
    "clusters": "/clusters?format=json",
    "listeners": "/listeners?format=json",
    "stats": "/stats?usedonly",
    "runtime": "/runtime",
}


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    levels: dict[str, str]


def proxy_routes(errands: Errands, fleet: Fleet, authorizer: Authorizer) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""
    questions = _Questions(errands, fleet, authorizer)
    return routes_of(
        [
            ("GET", "/proxies/{name}/running", questions.running),
            ("GET", "/proxies/{name}/about/{what}", questions.about),
            ("GET", "/proxies/{name}/log-levels", questions.levels),
            ("PUT", "/proxies/{name}/log-levels", questions.change),
        ]
    )


class _Questions:
    def __init__(self, errands: Errands, fleet: Fleet, authorizer: Authorizer) -> None:
        self._errands = errands
        self._fleet = fleet
        self._authorizer = authorizer

    async def running(self, request: Request) -> Any:
        """What the proxy runs beside what it was sent."""
        name = await self._may(request, "get")
        said = await self._ask(name, "envoy", {"path": "/config_dump?include_eds"})
        resources = self._fleet.resources(name)
        if resources is None:
            raise missing(f"no sidecar {name} is connected")
        return {"items": msgspec.to_builtins(compared(resources, msgspec.json.decode(said)))}

    async def about(self, request: Request) -> Any:
        """Something that Envoy's admin interface shows, as it shows it."""
        name, what = await self._may(request, "get"), request.path_params["what"]
        if what not in _ABOUT:
            raise bad_request(f"there is no {what}, only {', '.join(_ABOUT)}")
        return {"text": (await self._ask(name, "envoy", {"path": _ABOUT[what]})).decode(errors="replace")}

    async def levels(self, request: Request) -> Any:
        """The level of each of Envoy's loggers."""
        name = await self._may(request, "get")
        return _levels(await self._ask(name, "envoy", {"path": "/logging"}))

    async def change(self, request: Request) -> Any:
        """Other levels, until the proxy ends; that of "" is for all loggers."""
        wanted = (await body_of(request, _Wanted)).levels
        name = await self._may(request, "update")
        for logger, level in wanted.items():
            if level not in _LEVELS:
                raise bad_request(f"{level} is no level, only {', '.join(_LEVELS)}")
            if logger and not _LOGGER.fullmatch(logger):
                raise bad_request(f"{logger} is no logger of envoy's")
        return _levels(await self._ask(name, "log-levels", wanted))

    async def _may(self, request: Request, verb: str) -> str:
        name: str = request.path_params["name"]
        request.state.ask = own(verb, "proxies", namespace_of(name), name)
        await self._authorizer.require(subject_of(request), request.state.ask)
        return name

    async def _ask(self, name: str, kind: str, arguments: dict[str, str]) -> bytes:
        found = next((one for one in self._fleet.proxies() if one.name == name), None)
        if found is None:
            raise missing(f"no sidecar {name} is connected")
        try:
            return await self._errands.ask(found.identity, name.rpartition(".")[0], kind, arguments)
        except NoAnswer as silent:
            raise ApiError(504, "Timeout", silent.message + (f" ({silent.help})" if silent.help else "")) from silent


def _levels(said: bytes) -> dict[str, Any]:
    lines = (line.partition(":") for line in said.decode(errors="replace").splitlines()[1:])
    return {"items": [{"logger": name.strip(), "level": level.strip()} for name, _, level in lines if level.strip()]}
