"""Texts held against patterns, by plain comparisons."""

from collections.abc import Iterable

from weft.model.authorization import Pattern, Suffix
from weft.model.match import Exact, Prefix, Present

_SEGMENT = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~%!$&'()+,;:@=-")


def matches(pattern: Pattern, text: str, *, present_empty: bool = False) -> bool:
    """Whether a text has the pattern; ``present_empty``: an empty text is there too."""
    match pattern:
        case Exact(value=value):
            return text == value
        case Prefix(value=value):
            return text.startswith(value)
        case Suffix(value=value):
            return text.endswith(value)
        case Present():
            return bool(text) or present_empty
        case _:
            return False


def any_matches(pattern: Pattern, texts: Iterable[str]) -> bool:
    """Whether one of some texts has the pattern."""
    return any(matches(pattern, text) for text in texts)


def template_matches(template: str, path: str, *, wide: bool) -> bool:
    """Whether a path has a template; ``wide``: a segment may have every letter, not only those that URIs have."""
    return _segments(template.split("/"), path.split("/"), wide)


def _segments(wanted: list[str], given: list[str], wide: bool) -> bool:
    if not wanted:
        return not given
    head, rest = wanted[0], wanted[1:]
    if head == "{**}":
        return any(
            _all(given[:end], wide, 0) and _segments(rest, given[end:], wide) for end in range(1, len(given) + 1)
        )
    if not given:
        return False
    fits = _all(given[:1], wide, 1) if head == "{*}" else head == given[0]
    return fits and _segments(rest, given[1:], wide)


def _all(segments: list[str], wide: bool, least: int) -> bool:
    return all(len(one) >= least and (wide or set(one) <= _SEGMENT) for one in segments)
