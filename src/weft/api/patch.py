"""JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396), on values that are never changed in place."""

from typing import Any

from weft.api.errors import Json, bad_request, unprocessable

_MAX_OPERATIONS = 10_000


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396: objects are merged, ``null`` removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    base = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            base.pop(name, None)
        else:
            base[name] = merge_patch(base.get(name), value)
    return base


def json_patch(target: Json, operations: Any) -> Any:
    """RFC 6902. Raises ``ApiError`` 400 for what is no patch and 422 for one that does not fit the target."""
    if not isinstance(operations, list):
        raise bad_request("a JSON patch is a list of operations")
    if len(operations) > _MAX_OPERATIONS:
        raise bad_request(f"a JSON patch has at most {_MAX_OPERATIONS} operations")
    result: Any = target
    for operation in operations:
        result = _apply(result, operation)
    return result


def _apply(document: Any, operation: Any) -> Any:
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise bad_request("an operation of a JSON patch needs an op and a path")
    path = _pointer(operation["path"])
    match operation.get("op"):
        case "add":
            return _add(document, path, _value(operation))
        case "replace":
            _get(document, path)
            return _add(_remove(document, path), path, _value(operation)) if path else _value(operation)
        case "remove":
            return _remove(document, path)
        case "test":
            return _test(document, path, _value(operation))
        case "copy":
            return _add(document, path, _get(document, _source(operation)))
        case "move":
            return _move(document, _source(operation), path)
    raise bad_request(f'unknown operation of a JSON patch: "{str(operation.get("op"))[:64]}"')


def _value(operation: Json) -> Any:
    if "value" not in operation:
        raise bad_request(f"operation {operation['op']} of a JSON patch needs a value")
    return operation["value"]


def _source(operation: Json) -> list[str]:
    if not isinstance(operation.get("from"), str):
        raise bad_request(f"operation {operation['op']} of a JSON patch needs a from")
    return _pointer(operation["from"])


def _pointer(text: str) -> list[str]:
    """RFC 6901."""
    if text and not text.startswith("/"):
        raise bad_request(f'not a JSON pointer: "{text[:200]}"')
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _test(document: Any, path: list[str], value: Any) -> Any:
    if _get(document, path) != value:
        raise unprocessable(f"a test of the JSON patch failed: {_shown(path)} has another value")
    return document


def _move(document: Any, source: list[str], path: list[str]) -> Any:
    if path[: len(source)] == source and path != source:
        raise unprocessable(f"a JSON patch cannot move {_shown(source)} into itself")
    return _add(_remove(document, source), path, _get(document, source))


def _get(document: Any, path: list[str]) -> Any:
    for step in path:
        document = _child(document, step, path)
    return document


def _child(container: Any, step: str, path: list[str]) -> Any:
    if isinstance(container, dict) and step in container:
        return container[step]
    if isinstance(container, list):
        return container[_index(step, len(container) - 1, path)]
    raise unprocessable(f"the JSON patch does not fit: there is no {_shown(path)}")


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if rest:
        return _with(document, step, _add(_child(document, step, path), rest, value), path)
    if isinstance(document, list):
        index = len(document) if step == "-" else _index(step, len(document), path)
        return [*document[:index], value, *document[index:]]
    return _with(document, step, value, path)


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        raise unprocessable("a JSON patch cannot remove the whole object")
    step, rest = path[0], path[1:]
    child = _child(document, step, path)
    if rest:
        return _with(document, step, _remove(child, rest), path)
    if isinstance(document, list):
        index = _index(step, len(document) - 1, path)
        return [*document[:index], *document[index + 1 :]]
    return {name: value for name, value in document.items() if name != step}


def _with(container: Any, step: str, value: Any, path: list[str]) -> Any:
    if isinstance(container, dict):
        return container | {step: value}
    if isinstance(container, list):
        index = _index(step, len(container) - 1, path)
        return [*container[:index], value, *container[index + 1 :]]
    raise unprocessable(f"the JSON patch does not fit: there is nothing to set {_shown(path)} in")


def _index(step: str, highest: int, path: list[str]) -> int:
    usable = step.isascii() and step.isdigit() and len(step) < 10 and (step == "0" or step[0] != "0")
    if not usable or int(step) > highest:
        raise unprocessable(f"the JSON patch does not fit: there is no item {_shown(path)}")
    return int(step)


def _shown(path: list[str]) -> str:
    return "/" + "/".join(path)[:200]
