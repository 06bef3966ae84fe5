"""T11: somebody who may look at little wants to see and change more: every route and method, as nobody and as another.

Routes are listed by the servers themselves, so that a new one is tried without being named here.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import grpc
import pytest
from starlette.routing import Route

import weft.app.agents
import weft.app.api
import weft.app.parts
from tests.cli.conftest import Running, serving
from tests.threats.forged import of_own_root
from tests.threats.plane import Answer, Member, Plane
from weft.xds.server import _METHODS, _SERVICE

pytestmark = pytest.mark.live
MARK = "only-the-bank-knows"
OPEN = {"/healthz", "/livez", "/readyz"}
HARMLESS = {("POST", "/weft/v1/diff")}
"""Asks what would change, here of nothing."""
PUBLIC = {("GET", "/v1/bundle"), ("GET", "/v1/spiffe-bundle"), ("GET", "/v1/jwt-bundle")}


class Listed(NamedTuple):
    plane: Plane
    api: list[Route]
    agents: list[Route]
    grpc: list[str]


class InProcess(Plane):
    """The same, where the control plane is a thread of the test."""

    def __init__(self, running: Running) -> None:
        super().__init__(running.state.root, None, running.state.root / "log")  # type: ignore[arg-type]

    @property
    def busy(self) -> float:
        """Nobody can tell what of this process's time is the control plane's."""
        return 0.0


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listed]:
    apis: list[Any] = []
    agents: list[Any] = []
    handlers: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        build, starlette, serve = weft.app.api.build_api, weft.app.agents.Starlette, weft.app.parts.serve_xds

        def building(**parts: Any) -> Any:
            apis.append(build(**parts))
            return apis[-1]

        def composing(**parts: Any) -> Any:
            agents.append(starlette(**parts))
            return agents[-1]

        def handling(**parts: Any) -> Any:
            handlers.extend(parts.get("others", ()))
            return serve(**parts)

        patch.setattr(weft.app.api, "build_api", building)
        patch.setattr(weft.app.agents, "Starlette", composing)
        patch.setattr(weft.app.parts, "serve_xds", handling)
        with serving(tmp_path_factory.mktemp("listed") / "state") as running:
            plane = InProcess(running)
            entry = {
                "apiVersion": "networking.istio.io/v1",
                "kind": "ServiceEntry",
                "metadata": {"name": MARK},
                "spec": {"hosts": [f"{MARK}.example.com"], "ports": [{"number": 80, "name": "http"}]},
            }
            path = "/apis/networking.istio.io/v1/namespaces/bank/serviceentries"
            assert plane.ask("POST", path, entry).status == 201
            yield Listed(plane, list(apis[0].routes), list(agents[0].routes), _methods(handlers))


def _methods(handlers: list[Any]) -> list[str]:
    """Every method that is served beside xDS, however its handler keeps them."""
    found = [_SERVICE + name for name in _METHODS]
    for handler in handlers:
        each = handler if isinstance(handler, tuple | list) else (handler,)
        for one in each:
            for value in vars(one).values():
                found += (
                    [key for key in value if isinstance(key, str) and key.startswith("/")]
                    if isinstance(value, dict)
                    else []
                )
    return found


FILLED = {"rest:path": "v1/namespaces/bank/secrets/x", "path:path": "v1", "namespace": "bank"}


def _calls(routes: list[Route]) -> Iterator[tuple[str, str]]:
    for route in routes:
        path = re.sub(r"\{([^}]*)\}", lambda found: FILLED.get(found[1], "x.bank"), route.path)
        for method in sorted(route.methods or {"GET"}):
            yield method, path


def _token(listed: Listed, **limits: Any) -> str:
    answer = listed.plane.ask("POST", "/weft/v1/api-tokens", {"user": "nobody-special", "ttlSeconds": 600, **limits})
    assert answer.status == 200, answer
    return str(answer.json()["token"])


def _refused(answer: Answer) -> bool:
    return answer.status in (401, 403, 429)


def test_no_route_answers_nobody_or_somebody_unknown(listed: Listed) -> None:
    calls = list(_calls(listed.api))
    assert len(calls) > 40
    for method, path in calls:
        if path in OPEN:
            continue
        for token in (None, "weft_api_" + "x" * 43, "x.y.z"):
            assert _refused(listed.plane.ask(method, path, {} if method != "GET" else None, token)), (method, path)


def test_a_user_without_roles_sees_and_changes_nothing_of_others(listed: Listed) -> None:
    token = _token(listed)
    for method, path in _calls(listed.api):
        answer = listed.plane.ask(method, path, {} if method != "GET" else None, token)
        assert MARK.encode() not in answer.body, (method, path)
        if method not in ("GET", "HEAD") and (method, path) not in HARMLESS:
            assert answer.status >= 400, (method, path, answer)
        assert answer.status != 500, (method, path)


KINDS = ("serviceentries", "virtualservices", "gateways")


def test_a_reader_of_one_namespace_reads_no_other(listed: Listed) -> None:
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "reads"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "User", "name": "nobody-special", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings"
    assert listed.plane.ask("POST", path, binding).status == 201
    token = _token(listed)
    istio = "/apis/networking.istio.io/v1"
    assert listed.plane.ask("GET", f"{istio}/namespaces/shop/virtualservices", token=token).status == 200
    tried = [f"{istio}/namespaces/bank/{kind}" for kind in KINDS]
    tried += [f"{istio}/{kind}" for kind in KINDS]
    tried += [f"{istio}/namespaces/shop/../bank/serviceentries", f"{istio}/namespaces/shop%2F..%2Fbank/serviceentries"]
    tried += ["/api/v1/namespaces/bank/secrets", "/api/v1/secrets", f"{istio}/namespaces/bank/serviceentries/{MARK}"]
    tried += ["/weft/v1/audit", "/weft/v1/api-tokens/x", f"{istio}/namespaces/bank/serviceentries?watch=true"]
    for path in tried:
        answer = listed.plane.ask("GET", path, token=token)
        assert answer.status in (403, 404, 405), (path, answer)
        assert MARK.encode() not in answer.body or MARK in path
    for name in ("findings", "proxies", "tokens", "slos", "alerts", "events", "health"):
        assert MARK.encode() not in listed.plane.ask("GET", f"/weft/v1/{name}", token=token).body


def test_no_route_of_agents_answers_without_a_certificate_of_the_mesh(listed: Listed) -> None:
    calls = list(_calls(listed.agents))
    assert len(calls) >= 9
    stranger = of_own_root(_anybody(listed), "spiffe://cluster.local/ns/bank/sa/vault")
    for method, path in calls:
        answer = listed.plane.tell(method, path, {"token": "x", "csr": "x"} if method != "GET" else None)
        if (method, path) not in PUBLIC | {("HEAD", path) for _, path in PUBLIC}:
            assert answer.status in (400, 401, 429), (method, path, answer)
        assert listed.plane.tell(method, path, None, stranger).status == 0, (method, path)


def _anybody(listed: Listed) -> Member:
    return listed.plane.join("shop", "anybody")


def test_no_method_of_grpc_answers_without_a_certificate_of_the_mesh(listed: Listed) -> None:
    assert len(listed.grpc) >= 13
    stranger = of_own_root(_anybody(listed), "spiffe://cluster.local/ns/bank/sa/vault")
    for member in (None, stranger):
        with listed.plane.channel(member) as channel:
            for method in listed.grpc:
                with pytest.raises(grpc.RpcError) as refused:
                    next(channel.stream_stream(method)(iter([b""]), timeout=3))
                assert refused.value.code() in (
                    grpc.StatusCode.UNAVAILABLE,
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                ), method


def test_what_is_not_served_is_not_served_to_members_either(listed: Listed) -> None:
    methods = ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/envoy.admin.v3.Any/Dump", "/x", "/")
    with listed.plane.channel(_anybody(listed)) as channel:
        for method in methods:
            with pytest.raises(grpc.RpcError) as refused:
                next(channel.stream_stream(method)(iter([b""]), timeout=5))
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED, method
