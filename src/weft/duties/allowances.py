"""Which of the shared limits a proxy may ask for: those of the views that its connected proxies were given."""

from collections.abc import Callable, Iterable

from weft.kit.latest import Latest
from weft.limits.service import Limits, Shared
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.view.build import view_of
from weft.view.node import Node
from weft.view.shared_limits import shared_limits, shared_names

_NONE = Limits(own={}, known=frozenset())


class Allowances:
    """Answers for the newest mesh, and remembers for each identity until the mesh or its proxies change."""

    def __init__(self, latest: Latest[Mesh], nodes_of: Callable[[Identity], Iterable[Node]]) -> None:
        self._latest = latest
        self._nodes_of = nodes_of
        self._mesh: Mesh | None = None
        self._known: frozenset[str] = frozenset()
        self._found: dict[Identity, tuple[tuple[Node, ...], Limits]] = {}

    def limits_of(self, identity: Identity) -> Limits:
        """What the proxies of an identity may ask for; nothing before there is a mesh."""
        mesh = self._latest.value
        if mesh is None:
            return _NONE
        if mesh is not self._mesh:
            self._mesh, self._known, self._found = mesh, shared_names(mesh), {}
        nodes = tuple(self._nodes_of(identity))
        held = self._found.get(identity)
        if held is None or held[0] != nodes:
            held = self._found[identity] = (nodes, self._made(mesh, nodes))
        return held[1]

    def _made(self, mesh: Mesh, nodes: tuple[Node, ...]) -> Limits:
        own: dict[str, Shared] = {}
        for node in nodes:
            for name, (limits, limit) in shared_limits(view_of(mesh, node)).items():
                own[name] = Shared(limit=limit, body=limits.answer.body)
        return Limits(own=own, known=self._known)
