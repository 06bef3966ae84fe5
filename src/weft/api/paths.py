"""The grammar of resource paths: ``/apis/<group>/<version>[/namespaces/<namespace>]/<plural>[/<name>[/status]]``."""

from weft.api.errors import ApiError, no_such_path
from weft.api.permissions import Ask
from weft.api.resources import Catalogue, Resource
from weft.kit.value import Value
from weft.model.document import Key


class Target(Value):
    """What a path names. ``namespace`` is empty for all namespaces, ``name`` for the collection."""

    resource: Resource
    version: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def api_version(self) -> str:
        """``apiVersion`` that the client speaks."""
        return self.resource.kind.api_version(self.version)

    @property
    def key(self) -> Key:
        """The key of the one object."""
        return self.resource.key(self.namespace, self.name)


def parse_path(path: str, catalogue: Catalogue) -> Target:
    """What a path under ``/api/`` or ``/apis/`` names. Raises ``ApiError`` 404."""
    prefix, *segments = path.strip("/").split("/")
    if prefix == "api":
        segments = ["", *segments]
    if len(segments) < 3 or "" in segments[1:]:
        raise no_such_path()
    group, version, *rest = segments
    namespace, rest = _namespace(rest)
    plural, name, subresource, *more = [*rest, "", ""]
    resource = catalogue.find(group, version, plural)
    if resource is None or more not in ([], [""], ["", ""]):
        raise no_such_path()
    target = Target(resource=resource, version=version, namespace=namespace, name=name, subresource=subresource)
    return _refuse_impossible(target)


def _namespace(rest: list[str]) -> tuple[str, list[str]]:
    """``namespaces/x/services`` is in a namespace; ``namespaces/x`` and ``namespaces/x/status`` are about one."""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        return rest[1], rest[2:]
    return "", rest


def _refuse_impossible(target: Target) -> Target:
    namespaced = target.resource.kind.namespaced
    inside = bool(target.namespace)
    if inside > namespaced or (namespaced and target.name and not inside):
        raise no_such_path()
    if target.subresource and (target.subresource != "status" or not target.resource.told):
        raise no_such_path()
    return target


def ask_of(verb: str, target: Target) -> Ask:
    """What is asked for by a verb on a target. A namespace is in itself, as in Kubernetes."""
    kind = target.resource.kind
    itself = target.name if kind.kind == "Namespace" and not kind.group else ""
    return Ask(
        verb=verb,
        group=kind.group,
        resource=kind.plural,
        subresource=target.subresource,
        namespace=target.namespace or itself,
        name=target.name,
    )


def method_not_allowed() -> ApiError:
    """405: the resource does not do that."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
