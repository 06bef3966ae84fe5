"""A layered drawing of a directed graph, left to right: where boxes and lines go. The same graph, the same drawing.

As Sugiyama, Tagawa and Toda had it (1981): circles are broken, each box gets a layer after all that lead to it, lines
over several layers get a bend in each, layers are ordered so that few lines cross, and boxes are put level with
their neighbours.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

BETWEEN_LAYERS, BETWEEN_BOXES, MARGIN = 170.0, 22.0, 24.0
_BEND = 10.0
_SWEEPS = 12
Link = tuple[str, str]
Point = tuple[float, float]
_Node = str | tuple[int, int]
"""A box by its name, or the bend of a link (by its number) in a layer."""


class Box(NamedTuple):
    """Where a box is: its upper left corner, and how large it is."""

    x: float
    y: float
    width: float
    height: float


class Drawing(NamedTuple):
    """``lines`` go with the links: from the right side of a box, through bends, to the left side of another."""

    width: float
    height: float
    boxes: dict[str, Box]
    lines: tuple[tuple[Point, ...], ...]


def drawn(sizes: Mapping[str, tuple[float, float]], links: Sequence[Link]) -> Drawing:
    """The drawing of boxes, by name, of a width and height each; links are between names."""
    layer = _layers(sorted(sizes), links)
    layers, chains = _with_bends(layer, links)
    neighbours = _neighbours(chains)
    _order(layers, neighbours)
    heights = {node: sizes[node][1] if isinstance(node, str) else _BEND for one in layers for node in one}
    middles = _middles(layers, neighbours, heights)
    return _placed(layers, chains, middles, sizes, links)


def _layers(names: Sequence[str], links: Sequence[Link]) -> dict[str, int]:
    """The longest way to each name, of links that close no circle."""
    following: dict[str, list[str]] = {name: [] for name in names}
    for source, target in sorted(set(links)):
        if source != target:
            following[source].append(target)
    order, state = [], dict.fromkeys(names, 0)
    called = Counter(target for source, target in links if source != target)
    calling = Counter(source for source, target in links if source != target)
    for start in sorted(names, key=lambda name: (called[name] > 0, called[name] - calling[name], name)):
        stack: list[tuple[str, int]] = [(start, 0)] if not state[start] else []
        while stack:
            name, place = stack.pop()
            state[name] = 1
            kept = following[name]
            while place < len(kept) and state[kept[place]]:
                if state[kept[place]] == 1:
                    kept.pop(place)
                else:
                    place += 1
            if place < len(kept):
                stack += [(name, place + 1), (kept[place], 0)]
            else:
                state[name] = 2
                order.append(name)
    layer = dict.fromkeys(names, 0)
    for name in reversed(order):
        for target in following[name]:
            layer[target] = max(layer[target], layer[name] + 1)
    return layer


def _with_bends(layer: dict[str, int], links: Sequence[Link]) -> tuple[list[list[_Node]], list[list[_Node]]]:
    """The layers, and for each link the nodes that it goes through, in the order of layers."""
    layers: list[list[_Node]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for name in sorted(layer):
        layers[layer[name]].append(name)
    chains: list[list[_Node]] = []
    for number, (source, target) in enumerate(links):
        low, high = sorted((source, target), key=lambda name: layer[name])
        chain: list[_Node] = [low]
        for between in range(layer[low] + 1, layer[high]):
            layers[between].append((number, between))
            chain.append((number, between))
        chains.append([*chain, high])
    return layers, chains


def _neighbours(chains: Iterable[list[_Node]]) -> dict[_Node, tuple[list[_Node], list[_Node]]]:
    """Of each node those before and those after it."""
    found: dict[_Node, tuple[list[_Node], list[_Node]]] = {}
    for chain in chains:
        for one, other in pairwise(chain):
            found.setdefault(one, ([], []))[1].append(other)
            found.setdefault(other, ([], []))[0].append(one)
    return found


def _order(layers: list[list[_Node]], neighbours: dict[_Node, tuple[list[_Node], list[_Node]]]) -> None:
    """Put nodes where the nodes before them (and after them, in turns) are; the best of all turns stays."""
    best, crossed = [list(one) for one in layers], _crossings(layers, neighbours)
    for sweep in range(_SWEEPS):
        side = sweep % 2
        for layer in layers if side == 0 else reversed(layers):
            places = {node: place for one in layers for place, node in enumerate(one)}
            wanted = {}
            for node in layer:
                beside = [places[one] for one in neighbours.get(node, ([], []))[side]]
                wanted[node] = sum(beside) / len(beside) if beside else places[node]
            layer.sort(key=wanted.__getitem__)
        found = _crossings(layers, neighbours)
        if found < crossed:
            best, crossed = [list(one) for one in layers], found
    layers[:] = best


def _crossings(layers: list[list[_Node]], neighbours: dict[_Node, tuple[list[_Node], list[_Node]]]) -> int:
    """How many pairs of lines cross."""
    total = 0
    for layer, following in pairwise(layers):
        places = {node: place for place, node in enumerate(following)}
        ends = [sorted(places[one] for one in neighbours.get(node, ([], []))[1] if one in places) for node in layer]
        seen: list[int] = []
        for group in ends:
            total += sum(1 for end in group for other in seen if other > end)
            seen += group
    return total


def _middles(
    layers: list[list[_Node]],
    neighbours: dict[_Node, tuple[list[_Node], list[_Node]]],
    heights: dict[_Node, float],
) -> dict[_Node, float]:
    """How far down the middle of each node is: level with its neighbours, as far as the others of its layer allow."""
    middles: dict[_Node, float] = {}
    for layer in layers:
        _apart(layer, [0.0] * len(layer), heights, middles)
    for sweep in range(_SWEEPS):
        side = sweep % 2
        for layer in layers if side == 0 else reversed(layers):
            wanted = []
            for node in layer:
                beside = sorted(middles[one] for one in neighbours.get(node, ([], []))[side])
                half = len(beside) // 2
                wanted.append((beside[half] + beside[-half - 1]) / 2 if beside else middles[node])
            _apart(layer, wanted, heights, middles)
    return middles


def _apart(
    layer: Sequence[_Node], wanted: Sequence[float], heights: dict[_Node, float], middles: dict[_Node, float]
) -> None:
    """Put nodes as near to where they are wanted as their order and sizes allow (isotonic regression)."""
    offsets, down = [], 0.0
    for place, node in enumerate(layer):
        down += heights[node] / 2 + (heights[layer[place - 1]] / 2 + BETWEEN_BOXES if place else 0.0)
        offsets.append(down)
    blocks: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        mean, many = want - offset, 1
        while blocks and blocks[-1][0] > mean:
            before, several = blocks.pop()
            mean = (mean * many + before * several) / (many + several)
            many += several
        blocks.append((mean, many))
    settled = [mean for mean, many in blocks for _ in range(many)]
    middles.update((node, at + offset) for node, at, offset in zip(layer, settled, offsets, strict=True))


def _placed(
    layers: list[list[_Node]],
    chains: list[list[_Node]],
    middles: dict[_Node, float],
    sizes: Mapping[str, tuple[float, float]],
    links: Sequence[Link],
) -> Drawing:
    boxes: dict[str, Box] = {}
    across: dict[_Node, float] = {}
    top = min((middles[name] - sizes[name][1] / 2 for name in sizes), default=0.0) - MARGIN
    left = MARGIN
    for layer in layers:
        width = max((sizes[node][0] for node in layer if isinstance(node, str)), default=_BEND)
        for node in layer:
            across[node] = left + width / 2
            if isinstance(node, str):
                wide, high = sizes[node]
                boxes[node] = Box(left + (width - wide) / 2, middles[node] - high / 2 - top, wide, high)
        left += width + BETWEEN_LAYERS
    lines = []
    for (source, target), chain in zip(links, chains, strict=True):
        bends = [(across[node], middles[node] - top) for node in chain if not isinstance(node, str)]
        if chain[0] != source:
            bends.reverse()
        begin, end = boxes[source], boxes[target]
        lines.append((
            (begin.x + begin.width, begin.y + begin.height / 2),
            *bends,
            (end.x, end.y + end.height / 2),
        ))  # fmt: skip
    height = max((box.y + box.height for box in boxes.values()), default=0.0) + MARGIN
    bottom = max((point[1] for line in lines for point in line), default=0.0) + MARGIN
    return Drawing(max(left - BETWEEN_LAYERS, 0.0) + MARGIN, max(height, bottom), boxes, tuple(lines))
