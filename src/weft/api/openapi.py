"""OpenAPI v3 of what is served: one document for each group and version, with Kubernetes' extensions.

``kubectl explain`` reads the schemas; ``kubectl apply`` the parameters of the patch operations (to learn that the
server validates fields and knows dry runs) and, for Kubernetes' own kinds, the merge keys of lists.
"""

import hashlib
from functools import cached_property

from starlette.requests import Request
from starlette.responses import Response

from weft.api.errors import Json, no_such_path
from weft.api.negotiate import encode, not_acceptable, respond
from weft.api.resources import Catalogue, Resource

_JSON = "application/json"
_BINARY = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
_BINARY_ANSWER = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""What is asked for has an @, which a media type cannot have: Go refuses to parse it in an answer."""
_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")
_STRATEGIC = "application/strategic-merge-patch+json"


class OpenApi:
    """Answers what objects look like. The documents are made when they are first asked for."""

    def __init__(self, catalogue: Catalogue, version: str) -> None:
        self._catalogue = catalogue
        self._version = version

    async def index(self, _: Request) -> Response:
        """``/openapi/v3``: where the documents are; the hash changes with the content."""
        paths = {}
        for path, body in self._documents.items():
            digest = hashlib.sha256(body).hexdigest().upper()
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
        return respond({"paths": paths})

    async def document(self, request: Request) -> Response:
        """``/openapi/v3/apis/<group>/<version>`` and ``/openapi/v3/api/v1``."""
        body = self._documents.get(request.path_params["path"])
        if body is None:
            raise no_such_path()
        return Response(body, media_type=_JSON, headers={"Cache-Control": "private"})

    async def v2(self, request: Request) -> Response:
        """``/openapi/v2``: an empty one.

        kubectl reads its binary form for a file with a ``List``, finds no schema and leaves the checking to the server.
        """
        accepted = request.headers.get("accept", "*/*")
        if _BINARY in accepted:
            return Response(_empty_v2(self._version), media_type=_BINARY_ANSWER)
        if not any(media in accepted for media in (_JSON, "*/*")):
            raise not_acceptable(_JSON, _BINARY)
        return respond({"swagger": "2.0", "info": self._info, "paths": {}, "definitions": {}})

    @property
    def _info(self) -> Json:
        return {"title": "weft", "version": self._version}

    @cached_property
    def _documents(self) -> dict[str, bytes]:
        places = [("", "v1")]
        places += [
            (group, version) for group in self._catalogue.groups() for version in self._catalogue.versions(group)
        ]
        return {_place(*place): encode(self._document(*place)) for place in places}

    def _document(self, group: str, version: str) -> Json:
        schemas: Json = dict(_SHARED)
        paths: Json = {}
        for resource in self._catalogue.served(group, version):
            schemas[_name(resource, version)] = _object_schema(self._catalogue, resource, version)
            schemas[f"{_name(resource, version)}List"] = _list_schema(resource, version)
            paths |= _paths(resource, version)
        return {"openapi": "3.0.0", "info": self._info, "paths": paths, "components": {"schemas": schemas}}


def _empty_v2(release: str) -> bytes:
    """A gnostic ``openapi.v2.Document`` with a version (field 1), a title and a version of its own (2), and no more."""
    info = _binary(1, b"weft") + _binary(2, release.encode()[:60])
    return _binary(1, b"2.0") + _binary(2, info) + _binary(8, b"") + _binary(9, b"")


def _binary(number: int, content: bytes) -> bytes:
    """A protobuf field of fewer than 128 bytes."""
    return bytes((number << 3 | 2, len(content))) + content


def _place(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _name(resource: Resource, version: str) -> str:
    group = resource.kind.group
    package = ".".join(reversed(group.split("."))) if group else "io.k8s.api.core"
    return f"{package}.{version}.{resource.kind.kind}"


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _kind_of(resource: Resource, version: str, suffix: str = "") -> Json:
    return {"group": resource.kind.group, "kind": resource.kind.kind + suffix, "version": version}


def _object_schema(catalogue: Catalogue, resource: Resource, version: str) -> Json:
    schema = catalogue.schema(resource, version) | {"x-kubernetes-group-version-kind": [_kind_of(resource, version)]}
    if not resource.core:
        return schema
    for path, marks in _CORE_LISTS.items():
        schema = _marked(schema, path, marks)
    return schema


_CORE_LISTS: dict[tuple[str, ...], Json] = {
    ("metadata", "finalizers"): {"x-kubernetes-patch-strategy": "merge"},
    ("metadata", "ownerReferences"): {
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": "uid",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["uid"],
    },
    ("spec", "ports"): {
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": "port",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["port", "protocol"],
    },
}
"""How the lists of Kubernetes' own kinds merge; the same that ``strategic`` and ``fields`` do."""


def _marked(schema: Json, path: tuple[str, ...], marks: Json) -> Json:
    """The schema with extensions on the field at a path, if it has that field."""
    if not path:
        return schema | marks
    properties = schema.get("properties", {})
    if path[0] not in properties:
        return schema
    return schema | {"properties": properties | {path[0]: _marked(properties[path[0]], path[1:], marks)}}


def _list_schema(resource: Resource, version: str) -> Json:
    return {
        "description": f"{resource.kind.kind}List is a list of {resource.kind.kind}.",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": _TEXT,
            "kind": _TEXT,
            "metadata": _ref(f"{_META}.ListMeta"),
            "items": {"type": "array", "items": _ref(_name(resource, version))},
        },
        "x-kubernetes-group-version-kind": [_kind_of(resource, version, "List")],
    }


_TEXT: Json = {"type": "string"}
_SHARED: Json = {
    f"{_META}.ListMeta": {
        "description": "What a list says about itself.",
        "type": "object",
        "properties": {
            "resourceVersion": _TEXT,
            "continue": _TEXT,
            "remainingItemCount": {"type": "integer", "format": "int64"},
        },
    },
    f"{_META}.Patch": {"description": "A patch in the form that the content type names.", "type": "object"},
    f"{_META}.Status": {
        "description": "The outcome of a request that returns no object.",
        "type": "object",
        "properties": {
            "apiVersion": _TEXT,
            "kind": _TEXT,
            "status": _TEXT,
            "message": _TEXT,
            "reason": _TEXT,
            "code": {"type": "integer", "format": "int32"},
            "details": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
        "x-kubernetes-group-version-kind": [{"group": "", "kind": "Status", "version": "v1"}],
    },
}

_READ_QUERY = (
    *("allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion"),
    *("resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch"),
)
_WRITE_QUERY = ("dryRun", "fieldManager", "fieldValidation")
_TYPES = {"limit": "integer", "timeoutSeconds": "integer", "watch": "boolean", "force": "boolean"}
_TYPES |= {"allowWatchBookmarks": "boolean", "sendInitialEvents": "boolean"}


def _paths(resource: Resource, version: str) -> Json:
    base = f"/{_place(resource.kind.group, version)}"
    plural = resource.kind.plural
    inside = f"{base}/namespaces/{{namespace}}/{plural}" if resource.kind.namespaced else f"{base}/{plural}"
    single = f"{inside}/{{name}}"
    operations = _Operations(resource, version)
    paths: Json = {inside: operations.of_collection(_path_parameters(inside))}
    if resource.kind.namespaced:
        paths[f"{base}/{plural}"] = {"get": operations.reading("list", True)}
    if resource.writable:
        paths[single] = operations.of_object(_path_parameters(single))
        if resource.told:
            paths[f"{single}/status"] = operations.of_status(_path_parameters(single))
    elif "get" in resource.verbs:
        paths[single] = {"get": operations.reading("get", False), "parameters": _path_parameters(single)}
    return paths


def _path_parameters(path: str) -> list[Json]:
    names = [name for name in ("name", "namespace") if f"{{{name}}}" in path]
    return [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names]


class _Operations:
    """The operations of one resource."""

    def __init__(self, resource: Resource, version: str) -> None:
        self._resource = resource
        self._kind = _kind_of(resource, version)
        self._name = _name(resource, version)

    def of_collection(self, parameters: list[Json]) -> Json:
        operations: Json = {"parameters": parameters}
        if "list" in self._resource.verbs:
            operations["get"] = self.reading("list", True)
        if "create" in self._resource.verbs:
            operations["post"] = self._writing("post", _WRITE_QUERY, {_JSON: _ref(self._name)})
        if "deletecollection" in self._resource.verbs:
            operations["delete"] = self._operation("deletecollection", _READ_QUERY, f"{_META}.Status")
        return operations

    def of_object(self, parameters: list[Json]) -> Json:
        deletion = ("dryRun", "gracePeriodSeconds", "propagationPolicy")
        return {**self.of_status(parameters), "delete": self._operation("delete", deletion, f"{_META}.Status")}

    def of_status(self, parameters: list[Json]) -> Json:
        patches = (*_PATCHES, _STRATEGIC) if self._resource.core else _PATCHES
        return {
            "parameters": parameters,
            "get": self.reading("get", False),
            "put": self._writing("put", _WRITE_QUERY, {_JSON: _ref(self._name)}),
            "patch": self._writing("patch", (*_WRITE_QUERY, "force"), dict.fromkeys(patches, _ref(f"{_META}.Patch"))),
        }

    def reading(self, action: str, several: bool) -> Json:
        return self._operation(action, _READ_QUERY if several else (), f"{self._name}List" if several else self._name)

    def _writing(self, action: str, query: tuple[str, ...], bodies: dict[str, Json]) -> Json:
        content = {media_type: {"schema": schema} for media_type, schema in bodies.items()}
        return self._operation(action, query, self._name) | {"requestBody": {"required": True, "content": content}}

    def _operation(self, action: str, query: tuple[str, ...], answer: str) -> Json:
        schemas = [(name, {"type": _TYPES.get(name, "string")}) for name in query]
        content = {_JSON: {"schema": _ref(answer)}}
        return {
            "parameters": [{"name": name, "in": "query", "schema": schema} for name, schema in schemas],
            "responses": {"200": {"description": "OK", "content": content}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": self._kind,
        }
