"""Transformations: headers by Envoy's own filter, everything else by a script that is made for them."""

import json

from google.protobuf.message import Message

from weft._pb.envoy.config.common.mutation_rules.v3.mutation_rules_pb2 import HeaderMutation
from weft._pb.envoy.config.core.v3.base_pb2 import DataSource, HeaderValue, HeaderValueOption
from weft._pb.envoy.extensions.filters.http.header_mutation.v3.header_mutation_pb2 import HeaderMutation as Headers
from weft._pb.envoy.extensions.filters.http.header_mutation.v3.header_mutation_pb2 import Mutations
from weft._pb.envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from weft.compiler.plugins.edit_script import SCRIPT
from weft.model.transform import BodyEdit, Edit, HeaderWrite, Transformation, Write

_ACTIONS = {
    Write.SET: HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    Write.ADD: HeaderValueOption.APPEND_IF_EXISTS_OR_ADD,
    Write.SET_IF_ABSENT: HeaderValueOption.ADD_IF_ABSENT,
}
_NIL = "nil"


def header_mutation(work: Transformation) -> Message:
    """The filter for headers."""
    return Headers(
        mutations=Mutations(
            request_mutations=[_mutation(one) for one in work.request.headers],
            response_mutations=[_mutation(one) for one in work.response.headers],
        )
    )


def _mutation(one: HeaderWrite) -> HeaderMutation:
    if one.how is Write.REMOVE:
        return HeaderMutation(remove=one.name)
    option = HeaderValueOption(
        header=HeaderValue(key=one.name, value=one.value),
        append_action=_ACTIONS[one.how],
        keep_empty_value=True,
    )
    return HeaderMutation(append=option)


def script(work: Transformation) -> Message:
    """The filter for the rest."""
    source = SCRIPT.replace("@REQUEST@", _edit(work.request)).replace("@RESPONSE@", _edit(work.response))
    return Lua(default_source_code=DataSource(inline_string=source))


def scripted(edit: Edit) -> bool:
    """Whether a direction has something for the script."""
    return bool(edit.path or edit.method or edit.status or (edit.body and edit.body.any))


def _edit(edit: Edit) -> str:
    if not scripted(edit):
        return _NIL
    status = None if edit.status is None else str(edit.status)
    fields = {"path": edit.path, "method": edit.method, "status": status}
    said = [f"{name} = {quoted(value)}" for name, value in fields.items() if value]
    if edit.body and edit.body.any:
        said.append(f"body = {_body(edit.body)}")
    return "{ " + ", ".join(said) + " }"


def _body(body: BodyEdit) -> str:
    said = [f"largest = {body.largest}"]
    if body.content_type:
        said.append(f"content_type = {quoted(body.content_type)}")
    if body.template is not None:
        said.append(f"template = {_template(body.template)}")
    sets = (f"{{ path = {_path(path)}, value = {quoted(value)} }}" for path, value in body.sets)
    said.append(f"sets = {{ {', '.join(sets)} }}")
    said.append(f"removes = {{ {', '.join(_path(path) for path in body.removes)} }}")
    return "{ " + ", ".join(said) + " }"


def _path(steps: tuple[str, ...]) -> str:
    """Each step as it is read, and as it is written in JSON."""
    named = (f"{{ name = {quoted(step)}, quoted = {quoted(json.dumps(step, ensure_ascii=False))} }}" for step in steps)
    return "{ " + ", ".join(named) + " }"


def _template(text: str) -> str:
    """Texts and paths in turn; ``$${`` is no path."""
    parts: list[str] = []
    rest = text
    while rest:
        literal, begin, tail = rest.partition("${")
        escaped = bool(begin) and literal.endswith("$")
        path, end, after = tail.partition("}")
        if not begin or escaped or not end:
            parts.append(quoted(literal[:-1] + begin if escaped else literal + begin))
            rest = tail
            continue
        parts += [quoted(literal), _path(tuple(path.split(".")))]
        rest = after
    return "{ " + ", ".join(parts) + " }"


def quoted(text: str) -> str:
    """A text as a Lua string in which nothing can end it: everything but letters and digits by its number."""
    return (
        '"' + "".join(chr(one) if chr(one).isalnum() and one < 128 else f"\\{one:03d}" for one in text.encode()) + '"'
    )
