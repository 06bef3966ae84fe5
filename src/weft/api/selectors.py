"""Label and field selectors, as query parameters write them.

Labels: ``a=b``, ``a==b``, ``a!=b``, ``a in (b, c)``, ``a notin (b, c)``, ``a``, ``!a``, joined by commas (meta/v1
LabelSelector's text form). Fields: ``=``, ``==`` and ``!=`` on ``metadata.name``, ``metadata.namespace`` and those of a
kind's own.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from weft.api.errors import Json, bad_request
from weft.kit.value import Value
from weft.model.document import Document

_KEY = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_VALUE = r"[A-Za-z0-9._-]*"
_REQUIREMENT = re.compile(
    rf"\s*(?:(?P<absent>!)\s*)?(?P<key>{_KEY})\s*"
    rf"(?:(?P<operator>==|!=|=)\s*(?P<value>{_VALUE})\s*|(?P<set>notin|in)\s*\((?P<values>[^()]*)\)\s*)?(?:,|$)"
)
_VALUES = re.compile(rf"\s*{_VALUE}\s*(?:,\s*{_VALUE}\s*)*")
_FIELD = re.compile(r"(?P<key>[^=!]+?)(?P<operator>==|!=|=)(?P<value>.*)")
_FIELDS = ("metadata.name", "metadata.namespace")
_OBJECT_UID = "involvedObject.uid"


class Requirement(Value):
    """One condition: the value is among ``values`` (or, inverted, is not); no values: the key is there (or is not)."""

    key: str
    values: tuple[str, ...] = ()
    inverted: bool = False

    def accepts(self, value: str | None) -> bool:
        """Whether a label's value (``None``: no such label) fulfils the condition."""
        found = value in self.values if self.values else value is not None
        return found != self.inverted


class Selector(Value):
    """Conditions that hold together."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()

    def accepts(self, document: Document) -> bool:
        """Whether a document is selected."""
        if not self.accepts_labels(dict(document.labels)):
            return False
        fields = {"metadata.name": document.key.name, "metadata.namespace": document.key.namespace}
        if any(requirement.key not in fields for requirement in self.fields):
            return self._accepts_content(msgspec.json.decode(document.content))
        return all(requirement.accepts(fields.get(requirement.key, "")) for requirement in self.fields)

    def accepts_labels(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are selected."""
        return all(requirement.accepts(labels.get(requirement.key)) for requirement in self.labels)

    def _accepts_content(self, content: Json) -> bool:
        """Conditions on other fields. Events do not say the ``uid`` of their objects."""
        told = ((requirement, field_at(content, requirement.key)) for requirement in self.fields)
        return all(requirement.accepts(value) for requirement, value in told if value or requirement.key != _OBJECT_UID)


def field_at(content: Json, path: str) -> str:
    """The text at a path with dots, "" if there is none."""
    found: Any = content
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def parse_selector(labels: str, fields: str, other_fields: tuple[str, ...] = ()) -> Selector:
    """A selector from its two query parameters; ``other_fields`` are those that a kind can be chosen by besides.

    Raises ``ApiError`` 400.
    """
    known = (*_FIELDS, *other_fields)
    return Selector(labels=tuple(_label_requirements(labels)), fields=tuple(_field_requirements(fields, known)))


def _label_requirements(text: str) -> Iterator[Requirement]:
    position = 0
    if text.strip().endswith(","):
        raise bad_request(f'unable to parse requirement: "{text}" ends with a comma')
    while position < len(text):
        found = _REQUIREMENT.match(text, position)
        if found is None:
            raise bad_request(f'unable to parse requirement: "{text[position:][:200]}" is no label selector')
        position = found.end()
        yield _requirement(found)


def _requirement(found: re.Match[str]) -> Requirement:
    key, operator, inside = found["key"], found["operator"], found["set"]
    if found["absent"]:
        if operator or inside:
            raise bad_request(f'unable to parse requirement: "!{key}" takes no value')
        return Requirement(key=key, inverted=True)
    if operator:
        return Requirement(key=key, values=(found["value"],), inverted=operator == "!=")
    if not inside:
        return Requirement(key=key)
    if not _VALUES.fullmatch(found["values"]):
        raise bad_request(f'unable to parse requirement: "({found["values"]})" is no list of label values')
    values = tuple(value.strip() for value in found["values"].split(","))
    return Requirement(key=key, values=values, inverted=inside == "notin")


def _field_requirements(text: str, known: tuple[str, ...]) -> Iterator[Requirement]:
    for part in filter(None, text.split(",")):
        found = _FIELD.fullmatch(part.strip())
        if found is None:
            raise bad_request(f'invalid field selector: "{part[:200]}"')
        if found["key"] not in known:
            raise bad_request(f'"{found["key"][:200]}" is not a known field selector: only {", ".join(known)}')
        yield Requirement(key=found["key"], values=(found["value"],), inverted=found["operator"] == "!=")
