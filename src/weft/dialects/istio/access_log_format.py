"""Whether Envoy can read a format of access logs."""

import json
import re

from weft.kit.cel import fault_in_cel
from weft.kit.value import Labels

_SUBSTITUTION = re.compile(r"%(?:%|([A-Z][A-Z0-9_]*)(\([^()]+\))?(?::[0-9]+)?%)")
_EXPRESSION = re.compile(r"%CEL\((.*?)\)(?::[0-9]+)?%")
_WITH_WORDS = frozenset((
    "REQ", "RESP", "TRAILER", "DYNAMIC_METADATA", "CLUSTER_METADATA", "FILTER_STATE", "UPSTREAM_METADATA",
    "ENVIRONMENT", "COMMON_DURATION",
))  # fmt: skip
_OPERATORS = frozenset((
    "START_TIME", "EMIT_TIME", "REQ", "RESP", "TRAILER", "PROTOCOL", "RESPONSE_CODE", "RESPONSE_FLAGS",
    "RESPONSE_FLAGS_LONG", "RESPONSE_CODE_DETAILS", "CONNECTION_TERMINATION_DETAILS",
    "UPSTREAM_TRANSPORT_FAILURE_REASON", "DOWNSTREAM_TRANSPORT_FAILURE_REASON", "BYTES_RECEIVED", "BYTES_SENT",
    "DURATION", "COMMON_DURATION", "REQUEST_DURATION", "REQUEST_TX_DURATION", "RESPONSE_DURATION",
    "RESPONSE_TX_DURATION", "UPSTREAM_HOST", "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW", "UPSTREAM_LOCAL_ADDRESS",
    "UPSTREAM_REMOTE_ADDRESS", "UPSTREAM_PROTOCOL", "UPSTREAM_PEER_URI_SAN", "UPSTREAM_PEER_SUBJECT",
    "UPSTREAM_TLS_VERSION", "UPSTREAM_REQUEST_ATTEMPT_COUNT", "UPSTREAM_METADATA", "DOWNSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS", "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_LOCAL_URI_SAN", "DOWNSTREAM_PEER_URI_SAN", "DOWNSTREAM_PEER_SUBJECT", "DOWNSTREAM_PEER_ISSUER",
    "DOWNSTREAM_TLS_VERSION", "DOWNSTREAM_TLS_CIPHER", "REQUESTED_SERVER_NAME", "ROUTE_NAME", "VIRTUAL_HOST_NAME",
    "CONNECTION_ID", "GRPC_STATUS", "GRPC_STATUS_NUMBER", "DYNAMIC_METADATA", "CLUSTER_METADATA", "FILTER_STATE",
    "HOSTNAME", "STREAM_ID", "TRACE_ID", "ENVIRONMENT", "ACCESS_LOG_TYPE", "UNIQUE_ID",
))  # fmt: skip


def fields_of(text: str) -> Labels | None:
    """The fields of a format in JSON; ``None`` where it is no object of texts."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not said or not all(isinstance(value, str) for value in said.values()):
        return None
    return tuple(sorted(said.items()))


def fault_in_format(text: str) -> str:
    """What Envoy could not read in a format, "" where it can."""
    for expression in _EXPRESSION.findall(text):
        if fault := fault_in_cel(expression):
            return f"CEL: {fault}"
    text = _EXPRESSION.sub("", text)
    rest = _SUBSTITUTION.sub("", text)
    if "%" in rest:
        return f'"{rest[rest.index("%") :][:40]}" is no substitution'
    for name, words in _SUBSTITUTION.findall(text):
        if name and name not in _OPERATORS:
            return f"there is no substitution {name[:40]}"
        if name in _WITH_WORDS and not words:
            return f"{name} needs words in parentheses"
    return ""
