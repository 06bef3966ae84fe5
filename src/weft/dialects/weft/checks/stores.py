"""What can be wrong with a Compression and a ResponseCache."""

import re

from weft.dialects.findings import Findings, Here
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.weft.checks.answers import is_header_name
from weft.dialects.weft.checks.places import check_whole_services
from weft.dialects.weft.checks.targets import check_attachment
from weft.dialects.weft.types.compression import Compression
from weft.dialects.weft.types.response_cache import ResponseCache

_KINDS = ("Gateway", "Service")
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_DIRECTORY = re.compile(r"(?:/[A-Za-z0-9._@+-]+)+")


def check_compression(spec: Compression, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from check_attachment(here, spec, _KINDS)
    yield from check_whole_services(here, spec)
    seen: set[str] = set()
    for index, name in enumerate(spec.algorithms):
        if name in seen:
            yield here.at("algorithms", index).error("W0117", f"{name} is given twice", "remove one")
        seen.add(name)
    for index, one in enumerate(spec.content_types):
        if not _TYPE.fullmatch(one):
            message = f'"{one[:80]}" is no media type without parameters'
            yield here.at("contentTypes", index).error("W0102", message, "write application/json")


def check_response_cache(spec: ResponseCache, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from check_attachment(here, spec, _KINDS)
    yield from check_whole_services(here, spec)
    if not _DIRECTORY.fullmatch(spec.directory) or ".." in spec.directory.split("/"):
        yield here.at("directory").error("W0102", "this is no whole path of a directory", "write /var/cache/weft")
    for index, name in enumerate(spec.vary_headers):
        if not is_header_name(name):
            yield here.at("varyHeaders", index).error("W0112", f'"{name[:80]}" is not a header name')
