"""Views: one that uses everything that the compiler can write, and strategies for any."""

from hypothesis import strategies as st

from weft.model.match import ClaimMatch, Exact, HeaderMatch, HttpMatch, PathPrefix, Prefix, Present, QueryMatch, Regex
from weft.model.provider import BodyInCheck, HttpCheck
from weft.model.route import (
    Abort,
    Backend,
    Delay,
    Destination,
    DirectResponse,
    ExternalCheck,
    Fault,
    Forward,
    HeaderOperations,
    Headers,
    Mirror,
    PathRewrite,
    Redirect,
    RegexRewrite,
    Retries,
    Rewrite,
)
from weft.model.security import MtlsMode
from weft.model.service import Protocol, Resolution
from weft.model.traffic import (
    Balancing,
    ConnectionPool,
    ConsistentHash,
    HashClient,
    HashCookie,
    HashHeader,
    HashQuery,
    HashSourceIp,
    Keepalive,
    LoadBalancer,
    OutlierDetection,
    Warmup,
)
from weft.view.view import (
    Captured,
    CapturedBytes,
    CapturedPort,
    ConnectionRoute,
    EgressPort,
    Endpoint,
    EndpointSet,
    HttpProxyPort,
    InboundPort,
    MeshTls,
    Outbound,
    Route,
    Target,
    Upstream,
    UpstreamPort,
    View,
    VirtualHost,
)

PROTOCOLS = [one for one in Protocol if one is not Protocol.UDP]
_words = st.text("abcxyz019", min_size=1, max_size=5)
_hosts = st.builds("{}.shop.svc.cluster.local".format, _words)
_times = st.integers(1, 600_000)
_values = st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), max_size=20)
_texts = st.one_of(
    st.builds(Exact, value=_values),
    st.builds(Prefix, value=_values),
    st.builds(Regex, value=st.sampled_from([".*", "a+(b|c)?", "^x$", "*"])),
    st.builds(Present),
)
_paths = st.one_of(
    st.builds(Exact, value=st.builds("/{}".format, _words)),
    st.builds(Prefix, value=st.sampled_from(["/", "/a", "/a/b/"])),
    st.builds(PathPrefix, value=st.sampled_from(["/", "/a", "/a/b/"])),
    st.builds(Regex, value=st.sampled_from([".*", "/v[0-9]+/.*"])),
)
_header_names = st.sampled_from(["x-a", "end-user", "cookie", "X-B"])
_claims = st.builds(
    ClaimMatch,
    keys=st.lists(_words, min_size=1, max_size=3).map(tuple),
    match=_texts,
    inverted=st.booleans(),
)
_matches = st.builds(
    HttpMatch,
    path=st.none() | _paths,
    ignore_case=st.booleans(),
    method=st.none() | _texts | st.just(Exact(value="CONNECT")),
    scheme=st.none() | _texts,
    authority=st.none() | _texts,
    headers=st.lists(st.builds(HeaderMatch, name=_header_names, match=_texts, inverted=st.booleans()), max_size=3).map(
        tuple
    ),
    claims=st.lists(_claims, max_size=2).map(tuple),
    refused_by=st.sampled_from(["", "", "shop/breaker"]),
    query=st.lists(st.builds(QueryMatch, name=_words, match=_texts), max_size=2).map(tuple),
)
_pairs = st.lists(st.tuples(_header_names | st.sampled_from(["host", ":authority", ":path"]), _values), max_size=3).map(
    tuple
)
_operations = st.builds(HeaderOperations, set=_pairs, add=_pairs, remove=st.lists(_header_names, max_size=2).map(tuple))
_headers = st.builds(Headers, request=_operations, response=_operations)
_ports = st.sampled_from([80, 443, 9080, 50051])
_destinations = st.builds(Destination, host=_hosts, subset=st.sampled_from(["", "v1"]), port=_ports)
_backends = st.builds(Backend, destination=_destinations, weight=st.integers(1, 100), headers=_headers)
_retries = st.builds(
    Retries,
    attempts=st.integers(0, 10),
    codes=st.lists(st.sampled_from([503, 504]), unique=True).map(tuple),
    per_try_timeout=st.none() | _times,
    backoff=st.none() | _times,
    ignore_previous_hosts=st.booleans(),
    remote_localities=st.booleans(),
)
_rewrites = st.builds(
    Rewrite,
    path=st.one_of(
        st.none(),
        st.builds(PathRewrite, to=st.just("/new")),
        st.just(RegexRewrite(pattern="^/a/(.*)$", substitution="/b/\\1")),
    ),
    authority=st.sampled_from(["", "other.example.com"]),
)
_percents = st.floats(0, 100)
_forwards = st.builds(
    Forward,
    backends=st.lists(_backends, min_size=1, max_size=3).map(tuple),
    rewrite=_rewrites,
    timeout=st.none() | _times,
    retries=_retries,
    mirrors=st.lists(st.builds(Mirror, destination=_destinations, percent=_percents), max_size=2).map(tuple),
)
_redirects = st.builds(
    Redirect,
    path=st.sampled_from(["", "/elsewhere"]),
    path_prefix=st.sampled_from(["", "/other"]),
    authority=st.sampled_from(["", "example.com"]),
    scheme=st.sampled_from(["", "http", "https"]),
    port=st.none() | _ports,
    port_from_request=st.booleans(),
    code=st.sampled_from([301, 302, 303, 307, 308]),
)
_responses = st.builds(DirectResponse, status=st.integers(200, 599), body=st.binary(max_size=20))
_faults = st.builds(
    Fault,
    delay=st.none() | st.builds(Delay, fixed=_times, percent=_percents),
    abort=st.one_of(
        st.none(),
        st.builds(Abort, http_status=st.integers(200, 599), percent=_percents),
        st.builds(Abort, grpc_status=st.integers(0, 16), percent=_percents),
    ),
)
_hash_keys = st.one_of(
    st.builds(HashHeader, name=_header_names),
    st.builds(HashCookie, name=_words, path=st.sampled_from(["", "/"]), ttl=st.none() | st.integers(0, 1000)),
    st.builds(HashSourceIp),
    st.builds(HashClient),
    st.builds(HashQuery, name=_words),
)
_hashing = st.builds(
    ConsistentHash,
    key=_hash_keys,
    maglev=st.booleans(),
    ring_size=st.sampled_from([1024, 4096]),
    table_size=st.sampled_from([None, 65537]),
)
_names = st.lists(_header_names | st.just("x-*"), unique=True, max_size=2).map(tuple)
_by_http = st.builds(
    HttpCheck, path_prefix=st.sampled_from(["", "/check"]), request_headers=_names, to_upstream_on_allow=_names
)
_checks = st.builds(
    ExternalCheck,
    destination=_destinations,
    http=st.none() | _by_http,
    headers=_names,
    body=st.none() | st.builds(BodyInCheck, max_bytes=st.integers(1, 10_000), partial=st.booleans()),
)
_routes = st.builds(
    Route,
    match=_matches,
    action=st.one_of(_forwards, _redirects, _responses),
    name=st.sampled_from(["", "first", "a.b"]),
    headers=_headers,
    fault=st.none() | _faults,
    hash=st.none() | _hashing,
    by_authority=st.booleans(),
    check=st.none() | _checks,
    ends_tunnels=st.booleans(),
)
_small = st.none() | st.integers(1, 2**20)
_pools = st.builds(
    ConnectionPool,
    max_connections=_small,
    keepalive=st.none() | st.builds(Keepalive, probes=_small, time=st.none() | _times, interval=st.none() | _times),
    max_connection_duration=st.none() | _times,
    tcp_idle_timeout=st.none() | _times,
    http1_max_pending_requests=_small,
    http2_max_requests=_small,
    max_requests_per_connection=_small,
    max_retries=st.none() | st.integers(0, 100),
    http_idle_timeout=st.none() | _times,
    max_concurrent_streams=_small,
    use_client_protocol=st.booleans(),
)
_targets = st.builds(Target, host=_hosts, port=_ports, subset=st.sampled_from(["", "v1"]))
_balancers = st.builds(
    LoadBalancer,
    algorithm=_hashing | st.sampled_from([one for one in Balancing if one is not Balancing.PASSTHROUGH]),
    warmup=st.none()
    | st.builds(Warmup, duration=_times, aggression=st.floats(1, 5), minimum_percent=st.floats(0, 100)),
)
_outliers = st.builds(
    OutlierDetection,
    consecutive_5xx=st.none() | st.integers(0, 10),
    consecutive_gateway_errors=st.none() | st.integers(0, 10),
    consecutive_local_origin_failures=st.none() | st.integers(1, 10),
    split_local_origin=st.booleans(),
    interval=st.none() | _times,
    base_ejection_time=st.none() | st.integers(1, 300_000),
    max_ejection_percent=st.none() | st.integers(0, 100),
    min_health_percent=st.integers(0, 100),
)
_tls = st.builds(
    MeshTls,
    identities=st.lists(_words.map("spiffe://cluster.local/ns/shop/sa/{}".format), unique=True, max_size=3).map(tuple),
    sni=_hosts,
    always=st.booleans(),
)


@st.composite
def upstreams(draw: st.DrawFn) -> Upstream:
    """A cluster as views hold them: PASSTHROUGH only without endpoints, names only where they are resolved."""
    resolution = draw(st.sampled_from(Resolution))
    names = resolution in (Resolution.DNS, Resolution.DNS_ROUND_ROBIN)
    balancer = draw(_balancers)
    if resolution is Resolution.NONE:
        balancer = LoadBalancer(algorithm=Balancing.PASSTHROUGH)
    return Upstream(
        target=draw(_targets),
        protocol=draw(st.sampled_from(PROTOCOLS)),
        resolution=resolution,
        http2=draw(st.booleans()),
        tls=None if resolution is Resolution.NONE else draw(st.none() | _tls),
        load_balancer=balancer,
        connection_pool=draw(_pools),
        connect_timeout=draw(_times),
        outlier_detection=draw(st.none() | _outliers),
        hosts=(Endpoint(address="example.com", port=443, weight=2),) if names else (),
    )


_endpoints = st.builds(
    Endpoint,
    address=st.sampled_from(["10.0.0.1", "10.0.0.2", "::1"]),
    port=_ports,
    weight=st.integers(1, 100),
    locality=st.sampled_from(["", "r", "r/z", "r/z/s"]),
    meshed=st.booleans(),
)
_virtual_hosts = st.builds(
    VirtualHost,
    host=_hosts,
    port=_ports,
    domains=st.lists(
        _hosts | _words | st.sampled_from(["10.1.1.1", "[::1]", "*.example.com"]), unique=True, min_size=1
    ).map(lambda names: tuple(names[:3])),
    routes=st.lists(_routes, min_size=1, max_size=4).map(tuple),
)
_inbound = st.builds(
    InboundPort,
    name=_words,
    port=_ports,
    protocol=st.sampled_from(PROTOCOLS),
    bind=st.just("127.0.0.1"),
    bind_port=st.integers(20_000, 20_010),
    app=st.just("127.0.0.1"),
    app_port=st.just(9080),
    mtls=st.sampled_from(MtlsMode),
    connection_pool=_pools,
)
_egress_ports = st.builds(
    EgressPort,
    bind=st.sampled_from(["127.0.0.1", "unix:///tmp/weft-egress.sock"]),
    bind_port=st.integers(22_000, 22_010),
    protocol=st.sampled_from(PROTOCOLS),
    virtual_hosts=st.lists(_virtual_hosts, max_size=2, unique_by=lambda host: (host.host, host.port)).map(tuple),
    any_port=st.booleans(),
    target=st.none() | _targets,
    allow_any=st.booleans(),
    egress_proxy=st.none() | _targets,
)
_connection_routes = st.builds(
    ConnectionRoute,
    shares=st.lists(st.tuples(_targets, st.integers(1, 100)), min_size=1, max_size=3).map(tuple),
    server_names=st.sampled_from([(), ("a.example.com", "b.example.com"), ("*.example.com",)]),
)
_upstream_ports = st.builds(
    UpstreamPort,
    bind=st.just("127.0.0.1"),
    bind_port=st.integers(21_000, 21_010),
    target=_targets,
    protocol=st.sampled_from(PROTOCOLS),
    routes=st.lists(_connection_routes, unique_by=lambda one: one.server_names, max_size=3).map(tuple),
)


_captured_bytes = st.builds(
    CapturedBytes,
    target=_targets,
    routes=st.lists(_connection_routes, unique_by=lambda one: one.server_names, min_size=1, max_size=2).map(tuple),
    addresses=st.sampled_from([(), ("240.241.0.7",), ("10.0.0.0/8", "10.1.0.0/16", "fd00::7"), ("0.0.0.0/0",)]),
    sniffed=st.booleans(),
)
_captured_ports = st.builds(
    CapturedPort,
    number=st.integers(1, 65_535),
    virtual_hosts=st.lists(_virtual_hosts, max_size=2, unique_by=lambda host: (host.host, host.port)).map(tuple),
    ways=st.lists(_captured_bytes, max_size=3, unique_by=lambda one: one.target).map(tuple),
    named=st.lists(_captured_bytes, max_size=2, unique_by=lambda one: one.target).map(tuple),
)
_strangers = st.lists(
    st.builds(
        lambda number, mtls: InboundPort(
            name="",
            port=number,
            protocol=Protocol.TCP,
            bind="127.0.0.1",
            bind_port=number,
            app="127.0.0.1",
            app_port=number,
            mtls=mtls,
            captured=number,
            original=True,
        ),
        st.sampled_from([22, 8888]),
        st.sampled_from(MtlsMode),
    ),
    max_size=2,
    unique_by=lambda one: one.port,
)


def _captured(strangers: list[InboundPort], mtls: MtlsMode, **more: object) -> Captured:
    rest = InboundPort(
        name="",
        port=0,
        protocol=Protocol.TCP,
        bind="127.0.0.1",
        bind_port=0,
        app="127.0.0.1",
        app_port=0,
        mtls=mtls,
        captured=0,
        original=True,
    )
    return Captured(outbound=15_001, inbound=15_006, strangers=(*strangers, rest), **more)


_captures = st.builds(
    _captured,
    _strangers,
    st.sampled_from(MtlsMode),
    families=st.sampled_from([("0.0.0.0",), ("::",), ("0.0.0.0", "::")]),
    ports=st.lists(_captured_ports, max_size=3, unique_by=lambda one: one.number).map(tuple),
    allow_any=st.booleans(),
    egress_proxy=st.none() | _targets,
    mark=st.sampled_from([0, 1337]),
)


@st.composite
def views(draw: st.DrawFn) -> View:
    """Any view."""
    found = draw(st.lists(upstreams(), max_size=4, unique_by=lambda upstream: upstream.target))
    sets = [
        EndpointSet(target=one.target, endpoints=tuple(draw(st.lists(_endpoints, max_size=3, unique=True))))
        for one in found
        if one.resolution is Resolution.STATIC
    ]
    hosts = draw(st.lists(_virtual_hosts, max_size=3, unique_by=lambda host: (host.host, host.port)))
    return View(
        trust_domain="cluster.local",
        outbound=Outbound(upstreams=tuple(found), endpoints=tuple(sets), virtual_hosts=tuple(hosts)),
        inbound=tuple(draw(st.lists(_inbound, max_size=2, unique_by=lambda port: port.bind_port))),
        http_proxy=draw(st.none() | st.builds(HttpProxyPort, bind=st.just("::1"), bind_port=st.just(15001))),
        upstream_ports=tuple(draw(st.lists(_upstream_ports, max_size=2, unique_by=lambda port: port.bind_port))),
        egress_ports=tuple(draw(st.lists(_egress_ports, max_size=2, unique_by=lambda port: port.bind))),
        captured=draw(st.none() | _captures),
    )
