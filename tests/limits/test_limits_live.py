"""Rate limits in real Envoys: those that each counts alone, and those that the control plane counts for all."""

import contextlib
import http.client
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authorization.tokens import key_set, token
from tests.compiler.sidecars import Answer
from tests.intents.intent import caller, world
from tests.intents.minimesh import SERVERS, MiniMesh, minimesh
from tests.limits.rig import Caller, mesh_with
from weft.kit.clock import SystemClock
from weft.limits.counting import Ask, Told, Unavailable
from weft.limits.memory import MemoryCounters
from weft.limits.server import LimitHandler
from weft.limits.service import Limits, LimitService, Shared
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.view.build import view_of
from weft.view.shared_limits import shared_limits, shared_names
from weft.xds.introduction import identity_of

pytestmark = pytest.mark.live
_POLICY = """
apiVersion: weft.dev/v1alpha1
kind: RateLimitPolicy
metadata: {{name: {name}, namespace: shop}}
spec:
  targetRefs: [{target}]
  {rules}
"""
_RATINGS = "{kind: Service, name: ratings}"


_FRESH = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: fresh, namespace: shop}
spec:
  host: "*.shop.svc.cluster.local"
  trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 1}}}
---
"""
"""A connection that an older policy let in is still its own until its next answer: let there be none."""


class Counters(MemoryCounters):
    """Counts in memory, and can be away."""

    away = False

    async def take(self, asks: tuple[Ask, ...]) -> tuple[Told, ...]:
        if self.away:
            raise Unavailable("away")
        return await super().take(asks)


class Limited:
    """A running mesh whose proxies ask a service of ours."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._mesh: Mesh = world()
        self.counters = Counters(SystemClock())
        self.service = LimitService(self.counters, self._limits_of)
        self.mini: MiniMesh

    def serve(self, name: str, rules: str, target: str = _RATINGS, host: str = "ratings:9080") -> Caller:
        """Make this the only policy."""
        return self.serve_all(_POLICY.format(name=name, rules=rules, target=target), host)

    def serve_all(self, documents: str, host: str = "ratings:9080") -> Caller:
        self._mesh = self.mini.serve(mesh_with(_FRESH + documents, self._directory))
        return Caller(self.mini, host)

    def direct(self, source: str = "127.0.0.1", path: str = "/", **headers: str) -> int:
        """A plaintext call to the sidecar of ``ratings`` from an address; 0 where the connection ends."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.mini.ports["ratings-v1"], timeout=10, source_address=(source, 0)
        )
        with contextlib.closing(connection):
            try:
                said = {name.replace("_", "-"): value for name, value in headers.items()}
                connection.request("GET", path, headers={"host": "ratings", **said})
                return Answer(connection.getresponse()).status
            except (ConnectionError, http.client.HTTPException):
                return 0

    def _limits_of(self, identity: Identity) -> Limits:
        nodes = [caller("web-1", self.mini.proxy), *(self.mini.node(name) for name in SERVERS)]
        own = {}
        for node in (one for one in nodes if one.identity == identity):
            for name, (limits, limit) in shared_limits(view_of(self._mesh, node)).items():
                own[name] = Shared(limit=limit, body=limits.answer.body)
        return Limits(own=own, known=shared_names(self._mesh))


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limited]:
    directory = tmp_path_factory.mktemp("limited")
    found = Limited(directory)
    handler = LimitHandler(found.service, identity_of)
    with minimesh(directory, world(), workers=2, others=(handler,)) as found.mini:
        yield found


def test_a_bucket_lets_its_burst_pass_and_tells_what_is_left(limited: Limited):
    caller = limited.serve("simple", "limits: [{requests: 3, per: Hour}]")
    answers = [caller.ask() for _ in range(4)]
    assert [one.status for one in answers] == [200, 200, 200, 429]
    assert [one.headers["x-ratelimit-remaining"] for one in answers] == ["2", "1", "0", "0"]
    assert {one.headers["x-ratelimit-limit"] for one in answers} == {"3"}
    assert 1100 < int(answers[3].headers["retry-after"]) <= 1200
    assert caller.arrived() == 3


def test_workers_share_a_bucket(limited: Limited):
    caller = limited.serve("workers", "limits: [{requests: 10, per: Day}]")
    assert caller.at_once(30) == {200: 10, 429: 20}


def test_a_bucket_is_filled_as_time_passes(limited: Limited):
    caller = limited.serve("filled", "limits: [{requests: 5, per: Second, burst: 2}]")
    for _ in range(2):
        began = time.monotonic()
        passed = caller.at_once(8)[200]
        assert 2 <= passed <= 2 + 5 * (time.monotonic() - began), "the whole burst, and what came meanwhile"
        time.sleep(0.45)


def test_each_header_value_has_a_bucket_and_requests_without_it_are_not_counted(limited: Limited):
    caller = limited.serve("header", "limits: [{requests: 1, per: Day, by: [{header: {name: X-User}}]}]")
    asked = [caller.ask(x_user=user).status for user in ("ann", "bob", "ann", "bob")]
    assert asked == [200, 200, 429, 429]
    assert caller.statuses(3) == [200] * 3


def test_each_address_path_and_method_has_a_bucket(limited: Limited):
    limited.serve("address", "limits: [{requests: 1, per: Day, by: [{clientAddress: {}}]}]")
    assert [limited.direct(f"127.0.0.{number}") for number in (2, 3, 2)] == [200, 200, 429]
    network = "{clientAddress: {ipv4PrefixLength: 24, ipv6PrefixLength: 64}}"
    limited.serve("network", f"limits: [{{requests: 1, per: Day, by: [{network}]}}]")
    assert [limited.direct(one) for one in ("127.0.0.2", "127.0.1.2", "127.0.0.3")] == [200, 200, 429]
    limited.serve("path", "limits: [{requests: 1, per: Day, by: [{path: {}}, {method: {}}]}]")
    assert [limited.direct(path=path) for path in ("/a", "/b", "/a?c=d")] == [200, 200, 429]


def test_each_query_parameter_has_a_bucket(limited: Limited):
    limited.serve("query", "limits: [{requests: 1, per: Day, by: [{queryParameter: {name: user}}]}]")
    assert [limited.direct(path=f"/{query}") for query in ("?user=a", "?user=b", "?user=a", "")] == [200, 200, 429, 200]


def test_a_proxy_forgets_the_values_that_it_saw_longest_ago(limited: Limited):
    caller = limited.serve("few", "limits: [{requests: 1, per: Day, by: [{header: {name: x-user}}]}]\n  maxKeys: 1")
    asked = [caller.ask(x_user=user).status for user in ("ann", "ann", "bob", "ann")]
    assert asked == [200, 429, 200, 200]


def test_requests_with_a_query_parameter_are_counted(limited: Limited):
    when = "{queryParameters: [{name: tier, prefix: fr}]}"
    limited.serve("asked", f"limits: [{{requests: 1, per: Day, when: {when}}}]")
    asked = [limited.direct(path=f"/{query}") for query in ("?tier=free", "?tier=paid", "?tier=fresh", "")]
    assert asked == [200, 200, 429, 200]


def test_callers_are_told_apart_by_what_their_certificates_prove(limited: Limited):
    caller = limited.serve("identity", "limits: [{requests: 2, per: Day, by: [{clientIdentity: {}}]}]")
    assert caller.statuses(3) == [200, 200, 429]
    assert limited.direct() == 200


def test_only_requests_for_which_all_conditions_hold_are_counted(limited: Limited):
    when = "{path: {prefix: /api}, methods: [GET], headers: [{name: x-tier, exact: free}]}"
    caller = limited.serve("when", f"limits: [{{requests: 1, per: Day, when: {when}}}]")
    free = [caller.ask(path, x_tier="free").status for path in ("/api/1", "/api/2", "/other")]
    assert free == [200, 429, 200]
    assert caller.ask("/api/3", x_tier="paid").status == 200


def test_a_caller_can_be_named_and_cannot_be_claimed(limited: Limited):
    web = "spiffe://cluster.local/ns/shop/sa/web"
    caller = limited.serve("named", f"limits: [{{requests: 1, per: Day, when: {{clientIdentities: ['{web}']}}}}]")
    assert caller.statuses(2) == [200, 429]
    assert [limited.direct(x_forwarded_client_cert=f"URI={web}") for _ in range(3)] == [200] * 3


def test_of_several_limits_each_must_let_a_request_pass(limited: Limited):
    rules = "limits: [{requests: 3, per: Day}, {requests: 1, per: Day, by: [{header: {name: x-user}}]}]"
    caller = limited.serve("several", rules)
    assert [caller.ask(x_user=user).status for user in "aab"] == [200, 429, 200]


def test_a_shadow_counts_and_refuses_nothing(limited: Limited):
    caller = limited.serve("shadow", "limits: [{requests: 1, per: Day, mode: Shadow}]")
    answers = [caller.ask() for _ in range(3)]
    assert [one.status for one in answers] == [200] * 3
    assert not any(name.startswith("x-ratelimit") for one in answers for name in one.headers)


def test_a_request_can_cost_more_than_one(limited: Limited):
    caller = limited.serve("cost", "limits: [{requests: 10, per: Day, cost: 4}]")
    assert caller.statuses(3) == [200, 200, 429]


def test_the_answer_can_be_chosen(limited: Limited):
    rules = "limits: [{requests: 1, per: Day}]\n  headers: Off\n  response: {status: 503, headers: {x-why: 100% busy}}"
    caller = limited.serve("answer", rules)
    answers = [caller.ask() for _ in range(2)]
    assert [one.status for one in answers] == [200, 503]
    assert answers[1].headers["x-why"] == "100% busy"
    assert not any(name.startswith(("x-ratelimit", "retry-after")) for one in answers for name in one.headers)


def test_grpc_callers_read_resource_exhausted(limited: Limited):
    caller = limited.serve("grpc", "limits: [{requests: 1, per: Day}]")
    caller.ask()
    answer = caller.ask(content_type="application/grpc")
    assert (answer.status, answer.headers["grpc-status"]) == (200, "8")


def test_limits_of_a_rule_hold_where_the_rule_is_and_its_bucket_outlives_its_changes(limited: Limited):
    def documents(weight: int) -> str:
        policy = _POLICY.format(
            name="rule",
            target="{kind: VirtualService, name: ratings, sectionName: narrow}",
            rules="limits: [{requests: 2, per: Day}]",
        )
        return f"""{policy}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: ratings, namespace: shop}}
spec:
  hosts: [ratings]
  http:
  - name: narrow
    match: [{{uri: {{prefix: /narrow}}}}, {{uri: {{prefix: /small}}}}]
    headers: {{response: {{set: {{x-weight: "{weight}"}}}}}}
    route: [{{destination: {{host: ratings}}}}]
  - name: wide
    route: [{{destination: {{host: ratings}}}}]
"""

    caller = limited.serve_all(documents(1))
    assert [caller.ask(path).status for path in ("/narrow", "/small", "/narrow")] == [200, 200, 429]
    assert caller.statuses(3, "/wide") == [200] * 3
    caller = limited.serve_all(documents(2))
    assert caller.ask("/narrow").status == 429


def test_new_connections_are_limited(limited: Limited):
    limited.serve("connections", "connections: {connections: 3, per: Day}")
    assert [limited.direct() for _ in range(5)] == [200, 200, 200, 0, 0]


def test_a_limit_that_is_shared_is_counted_once_for_three_proxies(limited: Limited):
    rules = "limits: [{name: all, requests: 6, per: Day, scope: Global}]\n  timeout: 5s"
    caller = limited.serve("shared", rules, "{kind: Service, name: reviews}", "reviews:9080")
    assert caller.at_once(30, x_app_wait="0") == {200: 6, 429: 24}
    answer = caller.ask()
    assert answer.headers["x-ratelimit-limit"].startswith("6")
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert int(answer.headers["retry-after"]) > 0


def test_a_shared_limit_counts_callers_headers_and_costs_apart(limited: Limited):
    by = "by: [{clientIdentity: {}}, {header: {name: x-user}}]"
    limit = f"{{name: user, requests: 4, per: Day, scope: Global, cost: 2, {by}}}"
    rules = f"limits: [{limit}]\n  response: {{body: later}}\n  timeout: 5s"
    caller = limited.serve("apart", rules)
    answers = [caller.ask(x_user=user) for user in ("ann", "ann", "ann", "bob")]
    assert [one.status for one in answers] == [200, 200, 429, 200]
    assert answers[2].body == b"later"
    asked = {one.values: (one.passed, one.refused) for one in limited.service.tallies() if "apart" in one.limit}
    web = "spiffe://cluster.local/ns/shop/sa/web"
    assert asked == {(web, "ann"): (2, 1), (web, "bob"): (1, 0)}


def test_when_nobody_counts_requests_pass_or_are_refused_as_the_policy_says(limited: Limited):
    rules = "limits: [{requests: 1, per: Day, scope: Global}]\n  timeout: 2s"
    caller = limited.serve("open", rules)
    limited.counters.away = True
    try:
        assert caller.statuses(3) == [200] * 3
        caller = limited.serve("closed", rules + "\n  onFailure: Deny")
        assert caller.statuses(2) == [503] * 2
    finally:
        limited.counters.away = False
    assert caller.statuses(2) == [200, 429]


def test_shared_and_local_limits_go_together(limited: Limited):
    rules = "limits: [{requests: 2, per: Day}, {requests: 3, per: Day, scope: Global, window: Sliding}]\n  timeout: 5s"
    caller = limited.serve("both", rules)
    assert caller.statuses(3) == [200, 200, 429]


def test_claims_of_a_verified_token_are_counted_apart(limited: Limited):
    keys = key_set().replace("'", "''")
    policy = _POLICY.format(
        name="claims", target=_RATINGS, rules="limits: [{requests: 1, per: Day, by: [{claim: {path: [tenant, id]}}]}]"
    )
    caller = limited.serve_all(f"""{policy}---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: tokens, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: ratings}}}}
  jwtRules:
  - issuer: issuer.example.com
    jwks: '{keys}'
""")

    def ask(tenant: str) -> int:
        claims = {"iss": "issuer.example.com", "sub": "ann", "tenant": {"id": tenant}}
        return caller.ask(authorization=f"Bearer {token({'claims': claims})}").status

    assert [ask(tenant) for tenant in ("a", "b", "a")] == [200, 200, 429]
    assert caller.statuses(2) == [200, 200]
