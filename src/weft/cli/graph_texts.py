"""A service graph as text for other programs: DOT (Graphviz) and Mermaid."""

from typing import Any

from weft.cli.traffic import milliseconds, percent, rate, size

Answer = dict[str, Any]
COLOURS = {"healthy": "#2e7d32", "degraded": "#ef6c00", "failing": "#c62828", "idle": "#757575"}
"""Of health."""
_DOT_SHAPES = {"gateway": "house", "external": "ellipse", "unknown": "ellipse"}
_MERMAID_SHAPES = {"gateway": ("[/", "\\]"), "external": ("([", "])"), "unknown": ("((", "))")}


def title_of(node: Answer) -> str:
    """What a node is called."""
    match node["kind"]:
        case "unknown" if not node["name"]:
            return f"unknown in {node['namespace']}" if node["namespace"] else "unknown"
        case "version":
            return str(node["name"]).replace("/", " ")
        case _:
            return str(node["name"])


def subtitle_of(node: Answer) -> str:
    """What is said of a node below its name: its namespace, and how it is called."""
    said = [node["namespace"]] if node["namespace"] else []
    if node["kind"] in ("gateway", "external"):
        said.append(node["kind"])
    if node["requests"]:
        said += [rate(node["rate"]), percent(node["success"])]
    if node["endpoints"]["healthy"] < node["endpoints"]["total"]:
        said.append(f"{node['endpoints']['healthy']}/{node['endpoints']['total']} up")
    return " · ".join(said)


def words_of(edge: Answer) -> str:
    """What is said beside an edge."""
    if edge["protocol"] == "tcp":
        said = [f"{edge['connections']['opened']} conns", f"{size(edge['received'])} in", f"{size(edge['sent'])} out"]
    else:
        said = [rate(edge["rate"]), percent(edge["success"]), f"p99 {milliseconds(edge['latency']['p99'])}"]
    return " · ".join([*said, *([] if secured(edge) else ["plaintext"])])


def secured(edge: Answer) -> bool:
    """Whether all that went over an edge had mutual TLS."""
    share = edge["mutualTls"]
    return share is None or share >= 0.9995


def dot(answer: Answer) -> str:
    """In Graphviz' language."""
    lines = ["digraph mesh {", "  rankdir=LR;", '  node [shape=box, style="rounded", fontname="sans-serif"];']
    lines.append('  edge [fontname="sans-serif", fontsize=10];')
    for node in answer["nodes"]:
        label = "\\n".join(filter(None, (_dot(title_of(node)), _dot(subtitle_of(node)))))
        shape = f", shape={_DOT_SHAPES[node['kind']]}" if node["kind"] in _DOT_SHAPES else ""
        lines.append(f'  "{_dot(node["id"])}" [label="{label}", color="{COLOURS[node["health"]]}"{shape}];')
    for edge in answer["edges"]:
        style = "" if secured(edge) else ", style=dashed"
        lines.append(
            f'  "{_dot(edge["source"])}" -> "{_dot(edge["target"])}" '
            f'[label="{_dot(words_of(edge))}", color="{COLOURS[edge["health"]]}"{style}];'
        )
    return "\n".join([*lines, "}"])


def mermaid(answer: Answer) -> str:
    """In Mermaid's language."""
    names = {node["id"]: f"n{number}" for number, node in enumerate(answer["nodes"])}
    lines = ["flowchart LR"]
    for node in answer["nodes"]:
        begin, end = _MERMAID_SHAPES.get(node["kind"], ("[", "]"))
        label = "<br/>".join(filter(None, (_mermaid(title_of(node)), _mermaid(subtitle_of(node)))))
        lines.append(f'  {names[node["id"]]}{begin}"{label}"{end}:::{node["health"]}')
    for edge in answer["edges"]:
        arrow = "-->" if secured(edge) else "-.->"
        lines.append(f'  {names[edge["source"]]} {arrow}|"{_mermaid(words_of(edge))}"| {names[edge["target"]]}')
    lines += [f"  classDef {health} stroke:{colour},stroke-width:2px" for health, colour in COLOURS.items()]
    return "\n".join(lines)


def _dot(text: str) -> str:
    """Within quotes a backslash and a quote are escaped, and a line ends nowhere (Graphviz: "The DOT Language")."""
    return " ".join(text.split("\n")).replace("\r", " ").replace("\\", "\\\\").replace('"', '\\"')


def _mermaid(text: str) -> str:
    """Within quotes nothing but letters, digits and a few signs is itself; Mermaid has entities by number, ``#35;``."""
    return "".join(one if one.isalnum() or one in " .,:/%-_" else f"#{ord(one)};" for one in text)
