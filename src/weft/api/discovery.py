"""Discovery: which groups, versions and kinds are served, in the old form and in the aggregated one.

The aggregated form (``apidiscovery.k8s.io``) tells everything in one answer; kubectl asks for it first.
"""

from starlette.requests import Request
from starlette.responses import Response

from weft.api.errors import Json, no_such_path
from weft.api.negotiate import Clause, clauses, not_acceptable, respond
from weft.api.resources import Catalogue, Resource

_AGGREGATED = "apidiscovery.k8s.io"
_STATUS_VERBS = ("get", "patch", "update")


class Discovery:
    """Answers what is served."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def core(self, request: Request) -> Response:
        """``/api``: the core group."""
        aggregated = _aggregated(request)
        if aggregated is not None:
            return self._aggregated(aggregated, ("",))
        return respond({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})

    async def groups(self, request: Request) -> Response:
        """``/apis``: every other group."""
        groups = self._catalogue.groups()
        aggregated = _aggregated(request)
        if aggregated is not None:
            return self._aggregated(aggregated, groups)
        head = {"kind": "APIGroupList", "apiVersion": "v1"}
        return respond(head | {"groups": [self._group(group) for group in groups]})

    async def group(self, request: Request) -> Response:
        """``/apis/<group>``."""
        group = request.path_params["group"]
        if group not in self._catalogue.groups():
            raise no_such_path()
        return respond({"kind": "APIGroup", "apiVersion": "v1"} | self._group(group))

    async def version(self, request: Request) -> Response:
        """``/api/v1`` and ``/apis/<group>/<version>``."""
        group, version = request.path_params.get("group", ""), request.path_params.get("version", "v1")
        served = self._catalogue.served(group, version)
        if not served:
            raise no_such_path()
        head = {"kind": "APIResourceList", "apiVersion": "v1"}
        resources = [entry for resource in served for entry in _entries(resource)]
        return respond(head | {"groupVersion": f"{group}/{version}" if group else version, "resources": resources})

    def _group(self, group: str) -> Json:
        versions = [
            {"groupVersion": f"{group}/{version}", "version": version} for version in self._catalogue.versions(group)
        ]
        return {"name": group, "versions": versions, "preferredVersion": versions[0]}

    def _aggregated(self, form: Clause, groups: tuple[str, ...]) -> Response:
        version = form.get("v")
        items = [{"metadata": {"name": group} if group else {}, "versions": self._versions(group)} for group in groups]
        head = {"kind": "APIGroupDiscoveryList", "apiVersion": f"{_AGGREGATED}/{version}", "metadata": {}}
        media_type = f"application/json;g={_AGGREGATED};v={version};as=APIGroupDiscoveryList"
        return respond(head | {"items": items}, media_type=media_type)

    def _versions(self, group: str) -> list[Json]:
        return [
            {
                "version": version,
                "resources": [_discovered(resource, version) for resource in self._catalogue.served(group, version)],
                "freshness": "Current",
            }
            for version in self._catalogue.versions(group)
        ]


def _aggregated(request: Request) -> Clause | None:
    """The aggregated form if the client prefers it, ``None`` for the old one. Raises ``ApiError`` 406."""
    for clause in clauses(request.headers.get("accept", "*/*")):
        if clause.media_type not in ("application/json", "application/*", "*/*"):
            continue
        if not clause.get("as"):
            return None
        if clause.get("g") == _AGGREGATED and clause.get("v") in ("v2", "v2beta1"):
            return clause
    raise not_acceptable("application/json")


def _entries(resource: Resource) -> list[Json]:
    """A kind and its subresource as ``APIResource``."""
    kind = resource.kind
    entry: Json = {"name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced}
    entry |= {"kind": kind.kind, "verbs": list(resource.verbs)}
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if not resource.told:
        return [entry]
    status = {"name": f"{kind.plural}/status", "singularName": "", "namespaced": kind.namespaced}
    return [entry, status | {"kind": kind.kind, "verbs": list(_STATUS_VERBS)}]


def _discovered(resource: Resource, version: str) -> Json:
    """A kind as ``APIResourceDiscovery``."""
    kind = resource.kind
    response_kind = {"group": kind.group, "version": version, "kind": kind.kind}
    entry: Json = {
        "resource": kind.plural,
        "responseKind": response_kind,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(resource.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if resource.told:
        status = {"subresource": "status", "responseKind": response_kind, "verbs": list(_STATUS_VERBS)}
        entry["subresources"] = [status]
    return entry
