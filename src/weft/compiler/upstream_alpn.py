"""Bytes to a cluster that is made for requests: no HTTP is agreed on with the peer's sidecar, which then looks itself.

A cluster of an HTTP service offers the peer HTTP/2 in TLS. What a TCP proxy passes on may be anything; here a
connection offers the mesh's word alone (Istio's ``istio``).
"""

from weft._pb.envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter
from weft._pb.envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from weft._pb.envoy.extensions.filters.network.set_filter_state.v3.set_filter_state_pb2 import Config
from weft.compiler.tls import Spoken
from weft.compiler.wire import packed
from weft.kit.memo import memo

_KEY = "envoy.network.application_protocols"


@memo(1)
def bytes_alone() -> Filter:
    """The filter that stands before a TCP proxy."""
    words = SubstitutionFormatString()
    words.text_format_source.inline_string = ",".join(Spoken.BYTES.value)
    value = FilterStateValue(
        object_key=_KEY, format_string=words, shared_with_upstream=FilterStateValue.SharedWithUpstream.ONCE
    )
    return Filter(name="envoy.filters.network.set_filter_state", typed_config=packed(Config(on_new_connection=[value])))
