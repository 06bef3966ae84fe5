"""JSON schemas of documents as Kubernetes publishes them: OpenAPI v3, everything inline, no ``null``."""

from typing import Any

from pydantic import BaseModel

_KEEP = (
    "description", "enum", "format", "items", "maxItems", "maxLength", "maxProperties", "maximum", "minItems",
    "minLength", "minProperties", "minimum", "properties", "additionalProperties", "required", "type",
)  # fmt: skip


def json_schema(model: type[BaseModel]) -> dict[str, object]:
    """The schema of a document, self-contained."""
    schema = model.model_json_schema(by_alias=True)
    inlined: dict[str, object] = _inline(schema, schema.get("$defs", {}))
    return inlined


def _inline(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    node = _resolved(node, definitions)
    kept = {key: node[key] for key in _KEEP if key in node}
    if "const" in node:
        kept["enum"] = [node["const"]]
    if "properties" in kept:
        kept["properties"] = {name: _inline(field, definitions) for name, field in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _inline(kept["items"], definitions)
    if isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = _inline(kept["additionalProperties"], definitions)
    return _free_form(kept, node)


def _free_form(kept: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """``additionalProperties: false`` is Kubernetes' default; ``true`` has a name of its own."""
    extra = kept.get("additionalProperties")
    if extra is False:
        del kept["additionalProperties"]
    elif extra is True:
        del kept["additionalProperties"]
        kept["x-kubernetes-preserve-unknown-fields"] = True
    if {option.get("type") for option in node.get("anyOf", ())} == {"integer", "string"}:
        kept["x-kubernetes-int-or-string"] = True
    return kept


def _resolved(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A node with its reference followed and its ``null`` option gone; its own description wins."""
    outer = {key: node[key] for key in ("description",) if key in node}
    options = [option for option in node.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        return _resolved({**options[0], **outer}, definitions)
    if "anyOf" in node and options != node["anyOf"]:
        node = {**node, "anyOf": options}
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        return _resolved({**target, **outer}, definitions)
    return node
