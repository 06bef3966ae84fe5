"""The service graph as DOT, Mermaid, SVG and PNG: whole, escaped, and the same each time."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from weft.cli.graph_svg import png, svg
from weft.cli.graph_texts import dot, mermaid

_SVG = "{http://www.w3.org/2000/svg}"
_SIGNALS: dict[str, Any] = {
    "requests": 120, "errors": 0, "rate": 2.0, "success": 1.0, "mutualTls": 1.0,
    "latency": {"p50": 1.0, "p90": 2.0, "p95": 3.0, "p99": 4.0}, "requestBytes": 1, "responseBytes": 2,
    "connections": {"opened": 3, "broken": 0, "rate": 0.1}, "received": 10, "sent": 2000,
}  # fmt: skip


def node(name: str, kind: str = "service", **more: Any) -> dict[str, Any]:
    made = {"id": f"{kind}/shop/{name}", "kind": kind, "namespace": "shop", "name": name, "health": "healthy"}
    return _SIGNALS | made | {"reasons": [], "endpoints": {"total": 1, "healthy": 1}} | more


def edge(source: str, target: str, **more: Any) -> dict[str, Any]:
    return _SIGNALS | {"source": source, "target": target, "protocol": "http", "health": "healthy"} | more


NASTY = 'a"b\\c\n<d>&#e;]}|--> %%f'
ANSWER = {
    "nodes": [
        node("web"),
        node("reviews", health="failing", reasons=["9% of calls failed"], endpoints={"total": 3, "healthy": 2}),
        node("edge", "gateway"),
        node("", "unknown", namespace=""),
        node(NASTY, "external"),
    ],
    "edges": [
        edge("gateway/shop/edge", "service/shop/web"),
        edge("service/shop/web", "service/shop/reviews", health="failing"),
        edge("unknown/shop/", "service/shop/web", mutualTls=0.0),
        edge("service/shop/reviews", f"external/shop/{NASTY}", protocol="tcp"),
        edge("service/shop/web", "service/shop/web"),
    ],
}
_ID = r'"(?:[^"\\\n]|\\.)*"'
_ATTRIBUTES = rf"\[\w+=(?:{_ID}|\w+)(?:, \w+=(?:{_ID}|\w+))*\]"


def test_dot_is_sentences_of_its_grammar():
    begun, *sentences, ended = dot(ANSWER).split("\n")
    assert (begun, ended) == ("digraph mesh {", "}")
    for one in sentences:
        assert re.fullmatch(rf"  (?:rankdir=LR|(?:node|edge|{_ID}(?: -> {_ID})?) {_ATTRIBUTES});", one), one
    assert sum(" -> " in one for one in sentences) == 5
    assert sum("style=dashed" in one for one in sentences) == 1


def test_mermaid_has_nothing_of_its_own_signs_in_texts():
    begun, *lines = mermaid(ANSWER).split("\n")
    assert begun == "flowchart LR"
    text = r'"(?:[\w .,:/%·-]|#\d+;|<br/>)*"'
    for one in lines:
        named = rf"  n\d+(?:\[{text}\]|\[/{text}\\\]|\(\[{text}\]\)|\(\({text}\)\)):::\w+"
        linked = rf"  n\d+ (?:-->|-\.->)\|{text}\| n\d+"
        assert re.fullmatch(rf"{named}|{linked}|  classDef \w+ stroke:#\w{{6}},stroke-width:2px", one), one
    assert sum("-.->" in one for one in lines) == 1


def _parsed(said: str) -> ET.Element:
    return ET.fromstring(said)  # noqa: S314 - it is our own


def test_svg_is_xml_with_a_box_for_each_node_and_a_line_for_each_edge():
    said = svg(ANSWER)
    root = _parsed(said)
    assert len(root.findall(f"{_SVG}g")) == 5
    assert len(root.findall(f"{_SVG}path")) == 5
    texts = [one.text for one in root.iter(f"{_SVG}text")]
    assert NASTY in texts
    assert any("9% of calls failed" in (one.text or "") for one in root.iter(f"{_SVG}title"))
    assert svg(ANSWER) == said


def test_control_characters_are_left_out_of_xml():
    _parsed(svg({"nodes": [node("a\x00b\x1b")], "edges": []}))


def test_an_empty_graph_is_a_picture_too():
    _parsed(svg({"nodes": [], "edges": []}))
    assert dot({"nodes": [], "edges": []}).endswith("}")


def test_png_is_one_and_has_letters():
    pytest.importorskip("resvg_py")
    content = png(ANSWER)
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    without = {"nodes": [one | {"name": "", "namespace": ""} for one in ANSWER["nodes"]], "edges": ANSWER["edges"]}
    assert len(content) > len(png(without))
