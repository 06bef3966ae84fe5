"""The HTTP rules of a VirtualService."""

from typing import Literal

from weft.dialects.istio.types.matching import Destination, Percent, StringMatch
from weft.dialects.wire import Duration, Int32, Many, Strings, UInt32, Wire, items, mapping, needed, unset

_DEPRECATED = "Deprecated: "


class HttpMatchRequest(Wire):
    """Conditions that must all hold for a request."""

    name: str | None = unset("Name of the match; becomes part of the route's name.")
    uri: StringMatch | None = unset("Path of the request, with the query taken off.")
    scheme: StringMatch | None = unset("Scheme of the request.")
    method: StringMatch | None = unset("Method of the request.")
    authority: StringMatch | None = unset("Authority (Host) of the request.")
    headers: dict[str, StringMatch] = mapping("Headers by lower-case name; an empty match asks for presence.")
    port: UInt32 | None = unset("Port that the request was sent to.")
    source_labels: Strings = mapping("Labels that the calling workload must have.")
    gateways: Many[str] = items("Gateways that the match is for; replaces those of the VirtualService.")
    query_params: dict[str, StringMatch] = mapping("Parameters of the query by name.")
    ignore_uri_case: bool | None = unset("Whether exact and prefix matches of the path ignore upper and lower case.")
    without_headers: dict[str, StringMatch] = mapping("Headers that must not be there, or not match.")
    source_namespace: str | None = unset("Namespace that the calling workload must be in.")
    stat_prefix: str | None = unset("Prefix of the statistics that proxies keep for this route.")


class HeaderOperations(Wire):
    """Changes to headers."""

    set: Strings = mapping("Headers to overwrite.")
    add: Strings = mapping("Headers to append to.")
    remove: Many[str] = items("Names of headers to remove.")


class Headers(Wire):
    """Changes to the headers of requests and of responses."""

    request: HeaderOperations | None = unset("Changes on the way to the destination.")
    response: HeaderOperations | None = unset("Changes on the way back to the caller.")


class HttpRouteDestination(Wire):
    """A destination's share of requests."""

    destination: Destination = needed("Where the requests go.")
    weight: Int32 | None = unset("Share of the requests, relative to the sum of all weights.")
    headers: Headers | None = unset("Changes to headers for this destination only.")


class HttpRedirect(Wire):
    """Send the caller to another place."""

    uri: str | None = unset("New path; replaces the whole path.")
    prefix_rewrite: str | None = unset("New beginning of the path, in place of the prefix that matched.")
    authority: str | None = unset("New authority.")
    port: UInt32 | None = unset("New port.")
    derive_port: Literal["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"] | None = unset("How the new port is found.")
    scheme: str | None = unset("New scheme.")
    redirect_code: UInt32 | None = unset("Status of the answer, 301 if unset.")


class HttpBody(Wire):
    """A body, given in one of two ways."""

    string: str | None = unset("Body as text.")
    bytes: str | None = unset("Body as base64.")


class HttpDirectResponse(Wire):
    """Answer at once."""

    status: UInt32 = needed("Status of the answer, 200 to 599.")
    body: HttpBody | None = unset("Body of the answer.")


class RegexRewrite(Wire):
    """Replace what a pattern finds in the path."""

    match: str | None = unset("An RE2 expression.")
    rewrite: str | None = unset("What replaces it; \\1 and so on stand for its groups.")


class HttpRewrite(Wire):
    """Changes to the request before it is sent on."""

    uri: str | None = unset("New path, or new beginning of the path when a prefix was matched.")
    authority: str | None = unset("New authority.")
    uri_regex_rewrite: RegexRewrite | None = unset("A replacement of parts of the path.")


class HttpRetry(Wire):
    """When and how often a failed request is sent again."""

    attempts: Int32 | None = unset("Attempts after the first; 0 switches retries off.")
    per_try_timeout: Duration | None = unset("Limit of each attempt; the route's timeout if unset.")
    retry_on: str | None = unset("Conditions and status codes that are retried, separated by commas.")
    retry_remote_localities: bool | None = unset("Whether retries may go to other localities.")
    retry_ignore_previous_hosts: bool | None = unset("Whether retries avoid endpoints that were tried, true if unset.")
    backoff: Duration | None = unset("Base of the growing pause between attempts.")


class Delay(Wire):
    """Hold requests back."""

    percent: Int32 | None = unset(_DEPRECATED + "percent of the requests; use percentage.")
    fixed_delay: Duration | None = unset("How long.")
    exponential_delay: Duration | None = unset("Mean of an exponentially distributed delay; no proxy implements it.")
    percentage: Percent | None = unset("Share of the requests, none if unset.")


class Abort(Wire):
    """Answer requests with an error."""

    http_status: Int32 | None = unset("HTTP status of the error.")
    grpc_status: str | None = unset("gRPC status of the error, by name.")
    http2_error: str | None = unset("HTTP/2 error code; no proxy implements it.")
    percentage: Percent | None = unset("Share of the requests, none if unset.")


class HttpFaultInjection(Wire):
    """Faults on purpose, made by the caller's proxy."""

    delay: Delay | None = unset("Hold requests back.")
    abort: Abort | None = unset("Answer requests with an error.")


class HttpMirrorPolicy(Wire):
    """A copy of requests whose answers are thrown away."""

    destination: Destination = needed("Where the copies go.")
    percentage: Percent | None = unset("Share of the requests, all if unset.")


class CorsPolicy(Wire):
    """Which pages of other origins may call."""

    allow_origin: Many[str] = items(_DEPRECATED + "origins; use allowOrigins.")
    allow_origins: Many[StringMatch] = items("Origins that may call.")
    allow_methods: Many[str] = items("Methods that may be used.")
    allow_headers: Many[str] = items("Request headers that may be used.")
    expose_headers: Many[str] = items("Response headers that the page may read.")
    max_age: Duration | None = unset("How long the answer to a preflight may be kept.")
    allow_credentials: bool | None = unset("Whether calls may carry credentials.")
    unmatched_preflights: Literal["UNSPECIFIED", "FORWARD", "IGNORE"] | None = unset(
        "What happens to preflight requests of other origins."
    )


class Delegate(Wire):
    """Another VirtualService that holds the rules for what matched here."""

    name: str | None = unset("Name of the VirtualService.")
    namespace: str | None = unset("Namespace of the VirtualService, this one's if unset.")


class HttpRoute(Wire):
    """A rule: what it matches, and what then happens."""

    name: str | None = unset("Name of the rule, for logs and statistics.")
    match: Many[HttpMatchRequest] = items("Matches, of which one must hold; without any, every request matches.")
    route: Many[HttpRouteDestination] = items("Destinations and their shares.")
    redirect: HttpRedirect | None = unset("Send the caller to another place.")
    direct_response: HttpDirectResponse | None = unset("Answer at once.")
    delegate: Delegate | None = unset("Go on in another VirtualService.")
    rewrite: HttpRewrite | None = unset("Changes to path and authority.")
    timeout: Duration | None = unset("Limit of the whole request with all its attempts; none if unset.")
    retries: HttpRetry | None = unset("When a failed request is sent again.")
    fault: HttpFaultInjection | None = unset("Faults on purpose.")
    mirror: Destination | None = unset("Where copies of the requests go.")
    mirrors: Many[HttpMirrorPolicy] = items("Where copies of the requests go, several places.")
    mirror_percent: UInt32 | None = unset(_DEPRECATED + "percent of the requests; use mirrorPercentage.")
    mirror_percent_snake: UInt32 | None = unset(
        _DEPRECATED + "percent of the requests; use mirrorPercentage.", alias="mirror_percent"
    )
    mirror_percentage: Percent | None = unset("Share of the requests that mirror copies, all if unset.")
    cors_policy: CorsPolicy | None = unset("Which pages of other origins may call.")
    headers: Headers | None = unset("Changes to headers.")
