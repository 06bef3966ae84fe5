"""What may be asked and what a rule allows: Kubernetes' RBAC as values, without I/O.

The semantics are those of "Using RBAC Authorization" in the Kubernetes documentation: rules only allow, a verb on a
resource is allowed when any rule matches, and ``*`` is everything.
"""

from collections.abc import Iterable, Iterator, Sequence

from weft.api.errors import qualified
from weft.kit.value import Value

RBAC_GROUP = "rbac.authorization.k8s.io"
EVERYTHING = "*"


class Ask(Value):
    """One thing that somebody wants to do, with a resource or (``path``) with what is none.

    ``namespace`` is empty for the whole cluster, ``name`` for a collection.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def told(self) -> str:
        """The end of "somebody cannot ..."."""
        if self.path:
            return f'{self.verb} path "{self.path[:253]}"'
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        where = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        return f'{self.verb} resource "{resource}" in API group "{self.group}" {where}'

    @property
    def object(self) -> str:
        """The object, as a refusal begins with it."""
        if self.path:
            return ""
        return (
            f'{qualified(self.resource, self.group)} "{self.name}" is '
            if self.name
            else (f"{qualified(self.resource, self.group)} is ")
        )


class Rule(Value):
    """Verbs on resources, or on paths; all of a rule's lists must match, any entry of a list does."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class Scope(Value):
    """What a credential is limited to, whoever its owner is; empty lists limit nothing."""

    namespaces: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()

    def admits(self, ask: Ask) -> bool:
        """Whether the credential may be used for this. A scope with namespaces reaches nothing outside of them."""
        if self.verbs and ask.verb not in self.verbs:
            return False
        return not self.namespaces or ask.namespace in self.namespaces

    def within(self, other: "Scope") -> bool:
        """Whether ``other`` admits all that this one does."""
        return all(
            not limit or (wanted and set(wanted) <= set(limit))
            for wanted, limit in ((self.namespaces, other.namespaces), (self.verbs, other.verbs))
        )


def allows(rule: Rule, ask: Ask) -> bool:
    """Whether a rule allows it."""
    if not _has(rule.verbs, ask.verb):
        return False
    if ask.path:
        return any(_path_matches(pattern, ask.path) for pattern in rule.paths)
    if rule.names and ask.name not in rule.names:
        return False
    return _has(rule.groups, ask.group) and _has_resource(rule.resources, ask.resource, ask.subresource)


def covered(wanted: Rule, owned: Sequence[Rule]) -> bool:
    """Whether everything that ``wanted`` allows is allowed by ``owned`` already, piece by piece."""
    return all(any(_covers(rule, piece) for rule in owned) for piece in _pieces(wanted))


def _pieces(rule: Rule) -> Iterator[Rule]:
    for verb in rule.verbs:
        for path in rule.paths:
            yield Rule(verbs=(verb,), paths=(path,))
        for group in rule.groups:
            for resource in rule.resources:
                for name in rule.names or ("",):
                    names = (name,) if name else ()
                    yield Rule(verbs=(verb,), groups=(group,), resources=(resource,), names=names)


def _covers(owned: Rule, piece: Rule) -> bool:
    if not _has(owned.verbs, piece.verbs[0]):
        return False
    if piece.paths:
        return any(_path_covers(pattern, piece.paths[0]) for pattern in owned.paths)
    if owned.names and (not piece.names or piece.names[0] not in owned.names):
        return False
    resource, _, subresource = piece.resources[0].partition("/")
    return _has(owned.groups, piece.groups[0]) and _has_resource(owned.resources, resource, subresource)


def _has(values: Iterable[str], value: str) -> bool:
    return any(one in (EVERYTHING, value) for one in values)


def _has_resource(resources: Iterable[str], resource: str, subresource: str) -> bool:
    """``*`` is every resource and subresource, ``*/status`` that subresource of every resource."""
    whole = f"{resource}/{subresource}" if subresource else resource
    anywhere = f"*/{subresource}" if subresource else whole
    return any(one in (EVERYTHING, whole, anywhere) for one in resources)


def _path_matches(pattern: str, path: str) -> bool:
    if pattern.endswith(EVERYTHING):
        return path.startswith(pattern[:-1])
    return path == pattern


def _path_covers(pattern: str, wanted: str) -> bool:
    if pattern.endswith(EVERYTHING):
        return wanted.removesuffix(EVERYTHING).startswith(pattern[:-1])
    return pattern == wanted
