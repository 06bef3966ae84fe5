"""Where proxies write a line for each call and connection, and what is in it."""

from weft.kit.value import Labels, Value


class FileLog(Value):
    """A file of the proxy's host, such as ``/dev/stdout``. ``fields`` makes JSON of names and formats, ``object`` is
    JSON that may be nested, else ``text`` is the line; all with Envoy's substitutions (``%RESPONSE_CODE%``).
    ``terse``: what has no value is left out."""

    path: str
    text: str = ""
    fields: Labels = ()
    object: str = ""
    terse: bool = False


_COMMON = (
    ("start_time", "%START_TIME%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"),
    ("upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("duration", "%DURATION%"),
    ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("authority", "%REQ(:AUTHORITY)%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    ("route_name", "%ROUTE_NAME%"),
)
_QUOTED = {
    "upstream_transport_failure_reason", "x_forwarded_for", "user_agent", "request_id", "authority", "upstream_host",
}  # fmt: skip


def default_text() -> str:
    """Istio's line."""
    words = {name: f'"{text}"' if name in _QUOTED else text for name, text in _COMMON}
    request = " ".join(words.pop(name) for name in ("method", "path", "protocol"))
    start = words.pop("start_time")
    return f'[{start}] "{request}" {" ".join(words.values())}\n'


def default_fields() -> Labels:
    """Istio's JSON."""
    return tuple(sorted(_COMMON))
