"""Which fields of documents live tests set, read from the tests' own text.

A field counts as set where a document sets it that real proxies serve: those of intents with live calls, and those that
modules of live tests have as YAML or as the second argument of a call that begins with the kind's name. Fields of a
message that stands in several places are proved in one of them; each of the places is a field of another message.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel

from build_tools.compat.fields import LIST, MAPPING, fields_of, path_of
from build_tools.compat.page import tables
from build_tools.compat.table import DIFFERS, WORKS
from tests.dialects.documents import BY_NAME
from tests.intents.intent import HERE, intents
from weft.dialects.kinds import Kind
from weft.dialects.translate import KINDS, spec_type

ROOT = HERE.parents[1]
GROUPS = (
    "networking.istio.io",
    "extensions.istio.io",
    "gateway.networking.k8s.io",
    "gateway.networking.x-k8s.io",
    "telemetry.istio.io",
    "weft.dev",
)
"""Those of traffic; what is said of access is proved with all of its verdicts in ``tests/authorization``."""


class Proof(NamedTuple):
    """A field of a message, wherever that stands."""

    message: type[BaseModel]
    name: str


def wanted() -> dict[Proof, str]:
    """Every field that is served, with the first kind and path that have it."""
    found: dict[Proof, str] = {}
    for kind, table in tables():
        if kind.group in GROUPS:
            proofs = _proofs(spec_type(kind))
            for row in table.every:
                if row.status in (WORKS, DIFFERS):
                    for path in (one for one in proofs if leads(one, row.path)):
                        found.setdefault(proofs[path], f"{named(kind)} {path}")
    return found


def leads(path: str, to: str) -> bool:
    """Whether a path is another or on the way to it."""
    return to == path or to.startswith((f"{path}.", f"{path}[", f"{path}{{"))


def named(kind: Kind) -> str:
    """A kind as the tests' documents name it."""
    return kind.kind if BY_NAME[kind.kind] is kind else f"{kind.kind}.{kind.group}"


@cache
def _proofs(spec: type[BaseModel]) -> dict[str, Proof]:
    """The fields of a kind by their paths."""
    owners: dict[tuple[str, ...], type[BaseModel]] = {(): spec}
    found: dict[str, Proof] = {}
    for field in fields_of(spec):
        above = max((one for one in owners if field.steps[: len(one)] == one and one != field.steps), key=len)
        rest = tuple(step for step in field.steps[len(above) :] if step not in (LIST, MAPPING))
        found[field.path] = Proof(owners[above], ".".join(rest))
        if field.model is not None:
            owners[field.steps] = field.model
    return found


def proved() -> set[Proof]:
    """Every field that some live test's document sets."""
    found = set()
    for kind, spec in _specifications():
        proofs = _proofs(spec_type(kind))
        found |= {proofs[path] for path in map(path_of, _paths(spec)) if path in proofs}
    return found


def _paths(node: Any, steps: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every path in a document, keys of mappings both by their names and as ``{}``."""
    if isinstance(node, list):
        for one in node:
            yield (*steps, LIST)
            yield from _paths(one, (*steps, LIST))
    elif isinstance(node, dict):
        for name, value in node.items():
            for step in (str(name), MAPPING):
                yield (*steps, step)
                yield from _paths(value, (*steps, step))


def _specifications() -> Iterator[tuple[Kind, Any]]:
    for content in _documents():
        kind = _kind_of(content)
        if kind is not None:
            yield kind, content if kind.flat else content.get("spec", {})
    for module in live_modules():
        yield from _of_calls(ast.parse(module.read_text()))


def _kind_of(content: dict[str, Any]) -> Kind | None:
    group = str(content.get("apiVersion", "")).rpartition("/")[0]
    return next((one for one in KINDS if (one.group, one.kind) == (group, content.get("kind"))), None)


def _documents() -> Iterator[dict[str, Any]]:
    """Whole documents."""
    texts = [(HERE / "world.yaml").read_text()]
    texts += [(one.directory / f"{one.dialect}.yaml").read_text() for one in intents() if _is_live(one.calls)]
    texts += [text for module in live_modules() for text in _texts(ast.parse(module.read_text())) if "kind:" in text]
    for text in texts:
        yield from (one for one in _loaded(text) if isinstance(one, dict) and "kind" in one)


def _is_live(calls: dict[str, Any]) -> bool:
    """Whether at least one call is made for real."""
    return any(not isinstance(one.get("live"), str) for one in (*calls.get("calls", ()), *calls.get("inbound", ())))


@cache
def live_modules() -> tuple[Path, ...]:
    """The modules with tests of real proxies."""
    return tuple(path for path in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.live" in path.read_text())


def _loaded(text: str) -> list[Any]:
    try:
        return list(yaml.safe_load_all(text))
    except yaml.YAMLError:
        return []


def _texts(tree: ast.AST) -> Iterator[str]:
    """Every text in a module; what is put into one stands as a number."""
    for node in ast.walk(tree):
        if (text := _text(node)) is not None:
            yield text


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "1" for part in node.values)
    return None


def _of_calls(tree: ast.Module) -> Iterator[tuple[Kind, Any]]:
    """What calls such as ``document("Gateway", ...)`` are given."""
    for scope in (
        tree,
        *(node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))),
    ):
        given = {
            target.id: node.value
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in (node for node in ast.walk(scope) if isinstance(node, ast.Call) and len(node.args) > 1):
            kind = _kind_named(call.args[0])
            if kind is not None:
                argument = call.args[1]
                value = given.get(argument.id, argument) if isinstance(argument, ast.Name) else argument
                yield from ((kind, one) for one in _values(value))


def _kind_named(node: ast.expr) -> Kind | None:
    text = _text(node) or ""
    return next((kind for name, kind in BY_NAME.items() if re.fullmatch(re.escape(name), text)), None)


def _values(node: ast.expr) -> list[Any]:
    text = _text(node)
    if text is not None:
        return [one for one in _loaded(text) if isinstance(one, dict)]
    try:
        return [ast.literal_eval(node)]
    except ValueError:
        return [_literal(node)] if isinstance(node, ast.Dict) else []


def _literal(node: ast.expr) -> Any:
    """A mapping or list as far as it is written out."""
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {key.value: _literal(value) for key, value in pairs if isinstance(key, ast.Constant)}
    if isinstance(node, ast.List):
        return [_literal(one) for one in node.elts]
    return node.value if isinstance(node, ast.Constant) else "1"
