"""What a real gateway told of calls is enough to judge them again as it judged them."""

import contextlib
import json
from collections.abc import Collection, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.authorization.callers import Request, call
from tests.authorization.cases import CASES, mesh_of, needs_data
from tests.authorization.random_policies import policies, policy, requests, tokens_checked, uri_of
from tests.authorization.rig import Rig, application
from tests.authorization.test_cases import filled
from tests.intents.control import Control
from tests.intents.minimesh import _envoy, _is_warm, until
from tests.ports import held_port
from tests.xds.certificates import Root
from weft.api.weft_calls import row_of
from weft.cli.recorded import wanted_of
from weft.compiler.resources import resources_of
from weft.explain.access import Outcome
from weft.explain.reach import Wanted, reached
from weft.explain.unrecorded import suppositions, unsure_of
from weft.kit.clock import SystemClock
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.settings import Settings
from weft.observe.access_logs import access_log_sink
from weft.observe.calls import LOG, Call, Calls
from weft.observe.sinks import SinkHandlers
from weft.view.build import view_of
from weft.view.node import GatewayPlace, Node
from weft.xds.introduction import identity_of

pytestmark = [needs_data, pytest.mark.live]
HARD = Settings(root_namespace="mesh-system")
AS_ISTIO = Settings(root_namespace="mesh-system", hardened=False)
LIVE = settings(
    max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, phases=[Phase.generate]
)
CALLERS = ("client", "bar", "sa-dot")
CLIENT = "10.7.0.9"
_ASKED = 4
_NAMED = {"http": "8080", "https": "8081", "tcp": "9000"}


class Edge:
    """A gateway with a port each of requests, of requests over mutual TLS, and of bytes, and what it told of calls."""

    def __init__(self, directory: Path, stack: contextlib.ExitStack) -> None:
        self.calls = Calls(SystemClock())
        self._addresses = count(1)
        sink = access_log_sink({LOG: self.calls.read})
        self.app = stack.enter_context(application())
        self.ports = {name: stack.enter_context(held_port()) for name in _NAMED}
        self.node = Node(
            id="edge.foo",
            namespace="foo",
            workload="edge",
            identity=Identity(trust_domain="cluster.local", namespace="foo", account="edge"),
            labels=(("app", "edge"),),
            gateway=GatewayPlace(bind="127.0.0.1", trusted_hops=1),
        )
        root = Root()
        key, chain = root.issue(x509.DNSName("a.com"))
        for name, content in (("key.pem", key), ("chain.pem", chain), ("clients.pem", root.pem)):
            (directory / name).write_bytes(content)
        handlers = SinkHandlers((sink,), identity_of, SystemClock())
        self._control = Control(
            root, {self.node.id: self.node.identity.uri}, directory / "sds.sock", directory, (handlers,)
        )
        xds = self._control.start()
        stack.callback(self._control.stop)
        self._control.prepare({self.node.id: resources_of(view_of(self.mesh([]), self.node))})
        self.rig = Rig(self._control, self.node, self.ports, directory)
        self.rig.sidecar = stack.enter_context(_envoy(self.node, self._control, xds, directory, workers=1))
        self.rig.sidecar.wait()
        until(lambda: call(Request(port=self.ports["http"], certificate=None)).verdict == "allow")

    def mesh(self, documents: list[dict[str, Any]], chosen: Settings = HARD) -> Mesh:
        """Policies name ports as those of the random ones do; the gateway's are others."""
        written = json.dumps(documents)
        for name, number in _NAMED.items():
            written = written.replace(f'"{number}"', f'"{self.ports[name]}"')
        return mesh_of([*self._opened(), *json.loads(written)], chosen)

    def serve(self, mesh: Mesh) -> None:
        self._control.offer({self.node.id: resources_of(view_of(mesh, self.node))})
        until(lambda: _is_warm(self.rig.sidecar))

    def address(self, second: int = 0) -> str:
        """Where nobody has called from before, so that calls are told apart whatever is not told of them."""
        number = next(self._addresses)
        return f"127.{second}.{number // 250}.{number % 250 + 2}"

    def told(self, addresses: Collection[str]) -> dict[str, Call]:
        """What the gateway tells of the calls from these addresses."""
        until(lambda: set(addresses) <= {one.address for one, _ in self.calls.recorded(3600)})
        return {one.address: one for one, _ in self.calls.recorded(3600) if one.address in addresses}

    def _opened(self) -> list[dict[str, Any]]:
        tls = {
            "mode": "OPTIONAL_MUTUAL",
            "serverCertificate": "/chain.pem",
            "privateKey": "/key.pem",
            "caCertificates": "/clients.pem",
        }
        servers = [
            {"port": {"number": self.ports["http"], "name": "http", "protocol": "HTTP"}, "hosts": ["*"]},
            {"port": {"number": self.ports["https"], "name": "https", "protocol": "HTTPS"}, "hosts": ["*"], "tls": tls},
            {"port": {"number": self.ports["tcp"], "name": "tcp", "protocol": "TCP"}, "hosts": ["*"]},
        ]
        to = [{"destination": {"host": "httpbin.example.com", "port": {"number": 80}}}]
        changed = {"match": [{"uri": {"prefix": "/old"}}], "rewrite": {"uri": "/new", "authority": "in.side"}}
        table = {
            "hosts": ["*"],
            "gateways": ["edge"],
            "http": [changed | {"route": to}, {"route": to}],
            "tcp": [{"match": [{"port": self.ports["tcp"]}], "route": to}],
        }
        service = {
            "hosts": ["httpbin.example.com"],
            "resolution": "STATIC",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "endpoints": [{"address": "127.0.0.1", "ports": {"http": self.app}}],
        }
        entry = {
            "address": "127.0.0.1",
            "labels": {"app": "edge", "security.istio.io/tlsMode": "disabled"},
            "serviceAccount": "edge",
        }
        kinds = (
            ("Gateway", "edge", {"selector": {"app": "edge"}, "servers": servers}),
            ("ServiceEntry", "httpbin", service),
            ("VirtualService", "all", table),
            ("WorkloadEntry", "edge", entry),
        )
        return [
            {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
            for kind, name, spec in kinds
        ]


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with contextlib.ExitStack() as stack:
        yield Edge(tmp_path_factory.mktemp("edge"), stack)


def ways(mesh: Mesh, wanted: Wanted) -> set[Outcome]:
    """What may have become of a call, whatever was not told of it."""
    unsure = unsure_of(mesh).get("edge.foo")
    supposed = suppositions(unsure.policies if unsure else ())
    return {one.verdict.outcome for policies in supposed for one in reached(mesh, _supposing(wanted, policies))}


def _supposing(wanted: Wanted, policies: Any) -> Wanted:
    return Wanted(**{name: getattr(wanted, name) for name in Wanted.__struct_fields__} | {"supposed": policies})


@st.composite
def clients(draw: st.DrawFn) -> dict[str, Any]:
    """A request from outside, perhaps through a proxy."""
    said = draw(requests())
    through = [["x-forwarded-for", draw(st.sampled_from([CLIENT, "127.0.0.5"]))]] if draw(st.booleans()) else []
    chosen = {
        "port": {"http2": "https"}.get(said["port"], said["port"]),
        "from": draw(st.sampled_from([*CALLERS, ""])),
        "headers": [*said["headers"], *through],
        "sni": draw(st.sampled_from(["", "a.com"])),
    }
    return said | chosen | {"http": "2" if chosen["port"] == "https" else "1.1"}


def request_of(edge: Edge, said: dict[str, Any], address: str) -> Request:
    certificate = None
    if said["port"] == "https":
        caller = said["from"]
        certificate = edge.rig.certificate(CASES["identities"][caller], caller) if caller else ""
    return Request(
        port=edge.ports[said["port"]],
        method=said["method"].upper(),
        path=said["path"],
        host=said["host"],
        headers=tuple((name, filled(value)) for name, value in said["headers"]),
        http2=said["http"] == "2",
        certificate=certificate,
        from_ip=address,
        bytes_only=said["port"] == "tcp",
        sni=said["sni"] if said["port"] == "https" else "",
    )


@pytest.mark.parametrize("chosen", [HARD, AS_ISTIO], ids=["hardened", "istio"])
def test_calls_that_a_gateway_told_are_judged_as_it_judged_them(edge: Edge, chosen: Settings) -> None:
    surely = []

    @LIVE
    @given(policies(3), st.lists(clients(), min_size=_ASKED, max_size=_ASKED), st.booleans())
    def compare(written: list[dict[str, Any]], asked: list[dict[str, Any]], tokens: bool) -> None:
        mesh = edge.mesh([*([tokens_checked()] if tokens else []), *written], chosen)
        edge.serve(mesh)
        live = {}
        for index, said in enumerate(asked):
            address = edge.address(66 * (index % 2))
            live[address] = (call(request_of(edge, said, address)).verdict, said)
        for address, one in edge.told(live.keys()).items():
            verdict, said = live[address]
            may_be = ways(mesh, wanted_of(row_of(one, 1)))
            outcome = Outcome.ALLOWED if verdict == "allow" else Outcome.DENIED
            assert outcome in may_be, (said, verdict, one, written)
            assert _is_told(one, said)
            surely.append(len(may_be) == 1)

    compare()
    assert sum(surely) > len(surely) / 2


def _is_told(one: Call, said: dict[str, Any]) -> bool:
    source = f"spiffe://{uri_of(said['from'])}" if said["port"] == "https" and said["from"] else ""
    return one.source == source and one.proxy == "edge.foo"


def test_a_call_is_told_as_its_client_made_it_whatever_routes_and_clients_do_to_it(edge: Edge) -> None:
    denied = policy(
        "d", "DENY", [{"to": [{"operation": {"hosts": ["out.side"], "methods": ["PROPFIND"], "ports": ["8080"]}}]}]
    )
    mesh = edge.mesh([denied])
    edge.serve(mesh)
    forged = (("x-envoy-original-host", "forged"), ("x-envoy-original-path", "/forged"), ("x-forwarded-for", CLIENT))
    addresses = [edge.address() for _ in range(3)]
    verdicts = [
        call(Request(certificate=None, headers=forged, from_ip=address, **parts)).verdict
        for address, parts in zip(
            addresses,
            (
                {"port": edge.ports["http"], "host": "out.side", "path": "/old/x?secret=1"},
                {"port": edge.ports["http"], "host": "out.side", "method": "PROPFIND"},
                {"port": edge.ports["tcp"], "bytes_only": True},
            ),
            strict=True,
        )
    ]
    assert verdicts == ["allow", "deny", "allow"]
    told = edge.told(addresses)
    first, second, third = (told[address] for address in addresses)
    assert (first.method, first.authority, first.path) == ("GET", "out.side", "/old/x")
    assert (first.client, first.own, first.port) == (CLIENT, "127.0.0.1", edge.ports["http"])
    assert (second.method, second.authority, second.path) == ("PROPFIND", "out.side", "/")
    assert (third.method, third.client, third.port) == ("", addresses[2], edge.ports["tcp"])
    judged = [reached(mesh, wanted_of(row_of(one, 1)))[0].verdict.outcome for one in (first, second, third)]
    assert judged == [Outcome.ALLOWED, Outcome.DENIED, Outcome.ALLOWED]
