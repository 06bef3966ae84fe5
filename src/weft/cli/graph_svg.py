"""A service graph as a picture: SVG of our own drawing, and PNG of the same where the packages for it are installed."""

import math
from collections.abc import Iterator
from html import escape
from itertools import pairwise
from pathlib import Path

from weft.cli.graph_texts import COLOURS, Answer, secured, subtitle_of, title_of, words_of
from weft.kit.errors import UserError
from weft.kit.layering import Box, Point, drawn

_FONT = "Roboto, Helvetica, Arial, sans-serif"
_TITLE, _SMALL = 14, 11
_WIDE = 0.58
"""How wide a letter is on average, of its size."""
_HEIGHT, _PADDING, _LEAST = 46.0, 14.0, 110.0
_LOOP = 26.0


def svg(answer: Answer) -> str:
    """The picture. Edges are dashed where not everything had mutual TLS; colours tell health."""
    nodes = {node["id"]: node for node in answer["nodes"]}
    edges = answer["edges"]
    picture = drawn(
        {name: (_width(node), _HEIGHT) for name, node in nodes.items()},
        [(edge["source"], edge["target"]) for edge in edges],
    )
    parts = [_line(edge, line, picture.boxes[edge["source"]]) for edge, line in zip(edges, picture.lines, strict=True)]
    parts += [_box(nodes[name], box) for name, box in sorted(picture.boxes.items())]
    parts += _labels(edges, picture.lines)
    wide, high = math.ceil(picture.width), math.ceil(picture.height + _LOOP)
    markers = "".join(
        f'<marker id="{health}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="{colour}"/></marker>'
        for health, colour in COLOURS.items()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" '
        f'font-family="{_FONT}"><defs>{markers}</defs><rect width="100%" height="100%" fill="#ffffff"/>'
        + "\n".join(parts)
        + "</svg>"
    )


def png(answer: Answer) -> bytes:
    """The picture in pixels, twice as fine. Raises ``UserError`` where the packages for it are missing."""
    try:
        import font_roboto
        import resvg_py
    except ImportError:
        raise UserError(
            "drawing PNG needs packages that are not installed", help="pip install 'weft[png]', or ask for -o svg"
        ) from None
    fonts = [str(path) for path in (Path(font_roboto.__file__).parent / "files").glob("*.ttf")]
    return bytes(resvg_py.svg_to_bytes(svg_string=svg(answer), font_files=fonts, skip_system_fonts=True, zoom=2))


def _width(node: Answer) -> float:
    longest = max(len(title_of(node)) * _TITLE, len(subtitle_of(node)) * _SMALL)
    return max(_LEAST, longest * _WIDE + 2 * _PADDING)


def _box(node: Answer, box: Box) -> str:
    colour, across = COLOURS[node["health"]], box.x + box.width / 2
    dashes = ' stroke-dasharray="3 3"' if node["kind"] == "unknown" else ""
    round_ = box.height / 2 if node["kind"] in ("external", "unknown") else 6
    thick = 3 if node["kind"] == "gateway" else 1.6
    why = "; ".join(node["reasons"]) or node["health"]
    return (
        f"<g><title>{_text(node['id'])}: {_text(why)}</title>"
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="{round_:.1f}" '
        f'fill="#fafafa" stroke="{colour}" stroke-width="{thick}"{dashes}/>'
        f'<text x="{across:.1f}" y="{box.y + 20:.1f}" text-anchor="middle" font-size="{_TITLE}" fill="#212121">'
        f"{_text(title_of(node))}</text>"
        f'<text x="{across:.1f}" y="{box.y + 36:.1f}" text-anchor="middle" font-size="{_SMALL}" fill="#616161">'
        f"{_text(subtitle_of(node))}</text></g>"
    )


def _line(edge: Answer, line: tuple[Point, ...], box: Box) -> str:
    colour = COLOURS[edge["health"]]
    dashes = "" if secured(edge) else ' stroke-dasharray="6 4"'
    path = _loop(box) if edge["source"] == edge["target"] else _curve(line)
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dashes} '
        f'marker-end="url(#{edge["health"]})"><title>{_text(edge["source"])} to {_text(edge["target"])}: '
        f"{_text(words_of(edge))}</title></path>"
    )


def _curve(line: tuple[Point, ...]) -> str:
    said = f"M{line[0][0]:.1f},{line[0][1]:.1f}"
    for (x, y), (to_x, to_y) in pairwise(line):
        bend = max(30.0, abs(to_x - x) / 2)
        said += f" C{x + bend:.1f},{y:.1f} {to_x - bend:.1f},{to_y:.1f} {to_x:.1f},{to_y:.1f}"
    return said


def _loop(box: Box) -> str:
    right, bottom = box.x + box.width, box.y + box.height
    return (
        f"M{right - 30:.1f},{bottom:.1f} C{right - 30:.1f},{bottom + _LOOP:.1f} {box.x + 30:.1f},{bottom + _LOOP:.1f} "
        f"{box.x + 30:.1f},{bottom:.1f}"
    )


def _labels(edges: list[Answer], lines: tuple[tuple[Point, ...], ...]) -> Iterator[str]:
    """Beside the middle of each line's first piece, none over another."""
    taken: list[tuple[float, float, float]] = []
    for edge, line in zip(edges, lines, strict=True):
        (x, y), (to_x, to_y) = line[0], line[1]
        loops = edge["source"] == edge["target"]
        across, down = (x - 60, y + _HEIGHT / 2 + _LOOP) if loops else ((x + to_x) / 2, (y + to_y) / 2 - 4)
        words = words_of(edge)
        half = len(words) * (_SMALL - 1) * _WIDE / 2
        while any(abs(across - other) < half + wide and abs(down - high) < _SMALL + 2 for other, high, wide in taken):
            down += _SMALL + 2
        taken.append((across, down, half))
        yield (
            f'<text x="{across:.1f}" y="{down:.1f}" text-anchor="middle" font-size="{_SMALL - 1}" fill="#424242" '
            f'stroke="#ffffff" stroke-width="3" paint-order="stroke">{_text(words)}</text>'
        )


def _text(text: str) -> str:
    """Escaped; what XML cannot hold is left out."""
    return escape("".join(one for one in text if one in "\t\n" or ord(one) >= 32))
