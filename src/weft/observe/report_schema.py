"""The messages of ``envoy.service.metrics.v3`` as they are read thousands of times a second: metrics stay bytes.

The same fields with the same numbers, so the same bytes (``envoy.service.metrics.v3.StreamMetricsMessage`` and
``io.prometheus.client``). A label is told from another without being looked into, a histogram is read by
``weft.observe.histograms``, and what nobody reads is not there.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "weft.report"
_Field = FieldDescriptorProto
_MESSAGES: dict[str, tuple[tuple[str, int, "_Field.Type.ValueType | str", bool], ...]] = {
    "Report": (("identifier", 1, _Field.TYPE_BYTES, False), ("families", 2, "Family", True)),
    "Family": (("name", 1, _Field.TYPE_STRING, False), ("metric", 4, "Metric", True)),
    "Metric": (
        ("label", 1, _Field.TYPE_BYTES, True),
        ("counter", 3, _Field.TYPE_BYTES, False),
        ("histogram", 7, _Field.TYPE_BYTES, False),
    ),
}
"""Fields by message: name, number, type (or the message of it), whether there are several."""


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="weft/report.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        file.message_type.append(_message(name, fields))
    return file


def _message(name: str, fields: tuple[tuple[str, int, "_Field.Type.ValueType | str", bool], ...]) -> DescriptorProto:
    message = DescriptorProto(name=name)
    for field, number, kind, several in fields:
        label = _Field.LABEL_REPEATED if several else _Field.LABEL_OPTIONAL
        if isinstance(kind, str):
            message.field.add(
                name=field, number=number, label=label, type=_Field.TYPE_MESSAGE, type_name=f".{_PACKAGE}.{kind}"
            )
        else:
            message.field.add(name=field, number=number, label=label, type=kind)
    return message


_POOL = DescriptorPool()
_POOL.Add(_file())
REPORT: Any = GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.Report"))
"""The class of a whole message."""
