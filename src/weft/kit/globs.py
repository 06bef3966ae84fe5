"""Patterns in which ``*`` stands for anything, matched in linear time whatever somebody writes into them."""


def parts_of(glob: str) -> tuple[str, ...]:
    """What stands between the stars; a single part is a pattern without one."""
    first, *rest = glob.split("*")
    if not rest:
        return (first,)
    *middle, last = rest
    return (first, *(part for part in middle if part), last)


def fits(glob: str, text: str) -> bool:
    """Whether the whole text is what the pattern says."""
    return parts_fit(parts_of(glob), text)


def parts_fit(parts: tuple[str, ...], text: str) -> bool:
    """As ``fits``, for a pattern that was taken apart before."""
    first, *middle = parts
    if not middle:
        return text == first
    last = middle.pop()
    end = len(text) - len(last)
    if end < len(first) or not text.startswith(first) or not text.endswith(last):
        return False
    start = len(first)
    for part in middle:
        start = text.find(part, start, end)
        if start < 0:
            return False
        start += len(part)
    return True
