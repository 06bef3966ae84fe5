"""Which namespaces count: those that MeshConfig's ``discoverySelectors`` choose, and always the root namespace."""

from collections.abc import Iterable

from weft.dialects.fragment import Fragment
from weft.model.namespace import Namespace, named
from weft.model.settings import Settings


def linked_namespaces(found: Iterable[Namespace]) -> tuple[Namespace, ...]:
    """The namespaces that have documents of their own, by name."""
    return tuple(sorted(found, key=lambda namespace: namespace.name))


def discovered(fragments: tuple[Fragment, ...], settings: Settings) -> tuple[Fragment, ...]:
    """The fragments of the namespaces that count; of others, what is wrong with each document alone."""
    if not settings.discovery:
        return fragments
    labels = {one.name: one.labels for fragment in fragments for one in fragment.namespaces}
    chosen = {
        name
        for name in {fragment.key.namespace for fragment in fragments}
        if name in ("", settings.root_namespace)
        or any(selector.selects(labels.get(name) or named(name, ())) for selector in settings.discovery)
    }
    return tuple(
        fragment if fragment.key.namespace in chosen else Fragment(key=fragment.key, findings=fragment.findings)
        for fragment in fragments
    )
