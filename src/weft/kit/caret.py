"""The place of a mistake as rustc shows it: file, line and column, the line itself, and a caret under the text.

::

      --> shop.yaml:19:17  (spec.http[0].route[1].weight)
       |
    19 |         weight: 60
       |                 ^^
"""

import unicodedata
from collections.abc import Sequence

_MAX_WIDTH = 160
_BEFORE = 60
_TAB = "    "


def caret(file: str, source_lines: Sequence[str], line: int, column: int, width: int, path_text: str) -> str:
    """The place as text, without a final line break. ``line`` and ``column`` count from 1, ``width`` in characters.

    A place outside of the source gives the first line only. Control characters are shown as ``·``, so that a file
    cannot write to the terminal.
    """
    head = f"{file}:{line}:{column}" + (f"  ({path_text})" if path_text else "")
    gutter = " " * len(str(line))
    if not 1 <= line <= len(source_lines):
        return f"{gutter}--> {_visible(head)}"
    text, start = _window(source_lines[line - 1].rstrip("\r\n"), column)
    before = _visible(text[:start])
    marked = _visible(text[start : start + max(width, 1)])
    under = " " * _columns(before) + "^" * max(_columns(marked), 1)
    rows = (f"{gutter}--> {_visible(head)}", f"{gutter} |", f"{line} | {_visible(text)}", f"{gutter} | {under}")
    return "\n".join(rows)


def _window(text: str, column: int) -> tuple[str, int]:
    """As much of a long line as fits, with the place in it, and where in it the place is."""
    start = min(max(column - 1, 0), len(text))
    if len(text) <= _MAX_WIDTH:
        return text, start
    left = max(start - _BEFORE, 0)
    cut = text[left : left + _MAX_WIDTH]
    prefix = "..." if left else ""
    suffix = "..." if left + _MAX_WIDTH < len(text) else ""
    return f"{prefix}{cut}{suffix}", start - left + len(prefix)


def _visible(text: str) -> str:
    """Tabs as spaces, and nothing that moves the cursor or turns the direction of writing."""
    return "".join(_TAB if letter == "\t" else _shown(letter) for letter in text)


def _shown(letter: str) -> str:
    return "·" if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") else letter


def _columns(text: str) -> int:
    """The columns that a terminal uses: two for wide characters, none for combining ones."""
    return sum(_width(letter) for letter in text)


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1
