"""Matches of a leading rule and of its delegate's rule as one (Istio's merging of delegates)."""

from collections.abc import Mapping
from itertools import chain
from typing import TypeVar

from msgspec.structs import replace

from weft.model.match import ClaimMatch, Exact, HeaderMatch, HttpMatch, PathMatch, Prefix, QueryMatch, TextMatch

Matches = tuple[HttpMatch, ...]
_Named = TypeVar("_Named", HeaderMatch, ClaimMatch, QueryMatch)
_NameOf = tuple[str | tuple[str, ...], bool]


def merged_matches(roots: Matches, leaves: Matches) -> Matches | None:
    """Every pair that agrees; ``None`` where a delegate's match agrees with none of the leading rule's."""
    if not roots or not leaves:
        return leaves or roots
    found: list[HttpMatch] = []
    for leaf in leaves:
        agreeing = [root for root in roots if not _conflict(root, leaf)]
        if not agreeing:
            return None
        found.extend(_merged(root, leaf) for root in agreeing)
    return tuple(found)


def _merged(root: HttpMatch, leaf: HttpMatch) -> HttpMatch:
    """What the delegate's match says counts; the leading one's conditions come on top."""
    return replace(
        leaf,
        name="-".join(name for name in (root.name, leaf.name) if name),
        stat_prefix=leaf.stat_prefix or root.stat_prefix,
        path=leaf.path or root.path,
        method=leaf.method or root.method,
        scheme=leaf.scheme or root.scheme,
        authority=leaf.authority or root.authority,
        headers=_joined(root.headers, leaf.headers),
        claims=_joined(root.claims, leaf.claims),
        query=_joined(root.query, leaf.query),
        port=leaf.port or root.port,
        source_labels=tuple(sorted((dict(root.source_labels) | dict(leaf.source_labels)).items())),
        source_namespace=leaf.source_namespace or root.source_namespace,
        gateways=leaf.gateways or root.gateways,
    )


def _joined(roots: tuple[_Named, ...], leaves: tuple[_Named, ...]) -> tuple[_Named, ...]:
    found = _by_name(roots) | _by_name(leaves)
    return tuple(found[name] for name in sorted(found, key=lambda name: (name[1], name[0])))


def _by_name(matches: tuple[_Named, ...]) -> dict[_NameOf, _Named]:
    return {_name(one): one for one in matches}


def _name(one: HeaderMatch | ClaimMatch | QueryMatch) -> _NameOf:
    """A header and the same header inverted are two conditions."""
    match one:
        case HeaderMatch():
            return (one.name, one.inverted)
        case ClaimMatch():
            return (one.keys, one.inverted)
        case QueryMatch():
            return (one.name, False)


def _conflict(root: HttpMatch, leaf: HttpMatch) -> bool:
    """Whether the delegate's match is not a part of the leading one."""
    return (
        _texts_conflict(root, leaf)
        or root.ignore_case != leaf.ignore_case
        or (root.port is not None and leaf.port is not None and root.port != leaf.port)
        or root.source_namespace not in ("", leaf.source_namespace)
        or _labels_conflict(dict(root.source_labels), dict(leaf.source_labels))
        or _gateways_conflict(root.gateways, leaf.gateways)
    )


def _texts_conflict(root: HttpMatch, leaf: HttpMatch) -> bool:
    singles = (
        (root.path, leaf.path),
        (root.scheme, leaf.scheme),
        (root.method, leaf.method),
        (root.authority, leaf.authority),
    )
    headers, claims, query = _by_name(root.headers), _by_name(root.claims), _by_name(root.query)
    named = chain(
        ((headers[name].match, one.match) for name, one in _by_name(leaf.headers).items() if name in headers),
        ((claims[name].match, one.match) for name, one in _by_name(leaf.claims).items() if name in claims),
        ((query[name].match, one.match) for name, one in _by_name(leaf.query).items() if name in query),
    )
    return any(_outside(*pair) for pair in chain(singles, named))


def _outside(root: TextMatch | PathMatch | None, leaf: TextMatch | PathMatch | None) -> bool:
    """Whether a text can match the delegate's condition and not the leading one; unsure is yes, as in Istio."""
    match root, leaf:
        case (None, _) | (_, None):
            return False
        case Exact(value=wanted), Exact(value=own):
            return own != wanted
        case Prefix(value=wanted), (Exact(value=own) | Prefix(value=own)):
            return not own.startswith(wanted)
        case _:
            return True


def _labels_conflict(root: Mapping[str, str], leaf: Mapping[str, str]) -> bool:
    return any(root.get(key, value) != value for key, value in leaf.items())


def _gateways_conflict(root: tuple[str, ...], leaf: tuple[str, ...]) -> bool:
    return bool(root) and bool(leaf) and not set(leaf) <= set(root)
