"""Who called, for the callee's metrics: the caller's sidecar says its workload in a header, and the callee's takes it.

It is only said to clusters of the mesh, only noted from callers with a certificate, never shown to an application, and
nothing is allowed because of it: the certificate is who somebody is.
"""

from weft._pb.envoy.config.common.mutation_rules.v3.mutation_rules_pb2 import HeaderMutation as Mutation
from weft._pb.envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from weft._pb.envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from weft._pb.envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from weft._pb.envoy.extensions.filters.http.header_mutation.v3.header_mutation_pb2 import HeaderMutation, Mutations
from weft._pb.envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config
from weft._pb.envoy.extensions.filters.http.upstream_codec.v3.upstream_codec_pb2 import UpstreamCodec
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.telemetry.metrics import PEER_STATE
from weft.compiler.telemetry.spans import parent_noted
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.model.reporting import PEER_HEADER, PEER_VARIABLE

_SAYS, _NOTES = "weft.telemetry.says_peer", "weft.telemetry.notes_peer"


@memo(1)
def saying() -> tuple[HttpFilter, ...]:
    """The filters of a cluster of the mesh: what the proxy's environment says, in place of what a caller might say."""
    header = HeaderValueOption(
        header=HeaderValue(key=PEER_HEADER, value=f"%ENVIRONMENT({PEER_VARIABLE})%"),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
    said = HeaderMutation(mutations=Mutations(request_mutations=[Mutation(append=header)]))
    return (
        HttpFilter(name=_SAYS, typed_config=packed(said)),
        HttpFilter(name="envoy.filters.http.upstream_codec", typed_config=packed(UpstreamCodec())),
    )


@memo(4)
def noting(*, peer: bool = True, parent: bool = False) -> HttpFilter:
    """The filter of a listener of peers that keeps what headers say before its routes take them away or change them:
    who calls, and to which span a call belongs."""
    value = FilterStateValue(
        object_key=PEER_STATE,
        factory_key="envoy.string",
        format_string=SubstitutionFormatString(text_format_source={"inline_string": f"%REQ({PEER_HEADER})%"}),
    )
    kept = [*([value] if peer else ()), *([parent_noted()] if parent else ())]
    return HttpFilter(name=_NOTES, typed_config=packed(Config(on_request_headers=kept)))
