"""Namespaces: their names and the labels that selectors choose them by."""

from weft.kit.value import Labels, Value

NAME_LABEL = "kubernetes.io/metadata.name"


class Namespace(Value):
    """A namespace that has a document."""

    name: str
    labels: Labels = ()


def named(name: str, labels: Labels) -> Labels:
    """The labels of a namespace with the one that every namespace has: its name."""
    return tuple(sorted((dict(labels) | {NAME_LABEL: name}).items()))
