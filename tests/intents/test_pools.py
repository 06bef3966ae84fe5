"""Connection pools, ejection and balancing where they show: under several calls at once, as endpoints come and go."""

import contextlib
import http.client
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.intents.minimesh import SERVERS, MiniMesh, until
from tests.intents.rig import Got, always, ask, mesh_of
from weft.compiler.names import statistics_name
from weft.view.node import Outlet

pytestmark = pytest.mark.live
CLUSTER = "outbound|9080||reviews.shop.svc.cluster.local"
_HEAD = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: reviews, namespace: shop}\nspec:\n"


def pool(spec: str) -> str:
    """A rule for reviews, whose first endpoint alone answers."""
    return f"{ONE}{_HEAD}  host: reviews\n  trafficPolicy: {{connectionPool: {spec}}}\n"


ONE = """
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {selector: {app: reviews, version: v1}, ports: [{name: http, port: 9080}]}
---
"""
NO_RETRIES = """
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec: {hosts: [reviews], http: [{retries: {attempts: 0}, route: [{destination: {host: reviews}}]}]}
"""


@contextlib.contextmanager
def at_once(mini: MiniMesh, times: int, **headers: str) -> Iterator[list[Future[Got]]]:
    """So many calls, ``x-call`` and their number; what waits for ``Notes.go`` goes on when the block ends."""
    mini.notes.go.clear()
    call = headers.pop("x_call", "at-once")
    with ThreadPoolExecutor(times) as threads:
        try:
            yield [threads.submit(ask, mini, x_call=f"{call}-{one}", **headers) for one in range(times)]
        finally:
            mini.notes.go.set()


def over(calls: list[Future[Got]]) -> int:
    """How many are answered."""
    return sum(one.done() for one in calls)


def statuses(calls: list[Future[Got]]) -> Counter[int]:
    return Counter(one.result().status for one in calls)


def counted(mini: MiniMesh, name: str) -> int:
    """A counter of the caller's cluster."""
    return mini.client.statistic(f"cluster.{statistics_name(CLUSTER)}.{name}")


def served(mini: MiniMesh, documents: str) -> None:
    """Serve them; the counters of a changed cluster go on, so each test looks at what is added."""
    mini.serve(mesh_of(documents))
    always(lambda: ask(mini).status == 200)


def test_requests_beyond_the_connections_and_those_that_wait_are_refused(mini: MiniMesh) -> None:
    served(mini, pool("{tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}") + NO_RETRIES)
    with at_once(mini, 6, x_app_events="1") as calls:
        until(lambda: over(calls) >= 4)
        assert over(calls) == 4
    assert statuses(calls) == {200: 2, 503: 4}


def test_retries_beyond_the_limit_are_not_made(mini: MiniMesh) -> None:
    retries = NO_RETRIES.replace("attempts: 0", "attempts: 1, retryOn: 5xx, backoff: 10ms")
    served(mini, pool("{http: {maxRetries: 1}}") + retries)
    before = counted(mini, "upstream_rq_retry_overflow")
    with at_once(mini, 4, x_call=f"again-{before}", x_app_status="503", x_app_again="1") as calls:
        until(lambda: over(calls) >= 3)
        assert over(calls) == 3, "one is tried again"
        assert counted(mini, "upstream_rq_retry_overflow") == before + 3
    assert statuses(calls) == {503: 4}


@pytest.mark.parametrize(
    ("spec", "counter"),
    [
        ("{http: {idleTimeout: 1s}}", "upstream_cx_idle_timeout"),
        ("{tcp: {maxConnectionDuration: 1s}}", "upstream_cx_max_duration_reached"),
    ],
)
def test_a_connection_ends_when_its_time_is_over(spec: str, counter: str, mini: MiniMesh) -> None:
    served(mini, pool(spec))
    before = counted(mini, counter)
    assert ask(mini).status == 200
    until(lambda: counted(mini, counter) > before)
    assert ask(mini).status == 200


def test_streams_beyond_the_limit_of_a_connection_have_another_connection(mini: MiniMesh) -> None:
    served(mini, pool("{http: {h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 1}}"))
    before = counted(mini, "upstream_cx_http2_total")
    call = f"streams-{before}"
    with at_once(mini, 3, x_call=call, x_app_events="1") as calls:
        until(lambda: all(mini.notes.of(f"{call}-{one}") for one in range(3)))
    assert statuses(calls) == {200: 3}
    assert counted(mini, "upstream_cx_http2_total") >= before + 2


def test_requests_go_on_in_the_version_in_which_they_came(mini: MiniMesh) -> None:
    served(mini, pool("{http: {h2UpgradePolicy: UPGRADE}}"))
    before = counted(mini, "upstream_cx_http1_total")
    assert ask(mini).status == 200
    assert counted(mini, "upstream_cx_http1_total") == before
    served(mini, pool("{http: {useClientProtocol: true}}"))
    assert counted(mini, "upstream_cx_http1_total") > before


def test_idle_connections_are_kept_alive(mini: MiniMesh) -> None:
    served(mini, pool("{tcp: {tcpKeepalive: {probes: 3, time: 60s, interval: 10s}}}"))
    until(lambda: ask(mini).status == 200 and _KEEPALIVE in _timers(mini.ports["reviews-v1"]))


_KEEPALIVE = "02"


def _timers(port: int) -> set[str]:
    """The kernel's timers of connections to a port (proc(5), the field ``tr``)."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return {row[5].partition(":")[0] for row in rows if row[2].endswith(f":{port:04X}") and row[3] == "01"}


BYTES = """
apiVersion: v1
kind: Service
metadata: {name: bytes, namespace: shop}
spec: {selector: {app: reviews, version: v1}, ports: [{name: tcp, port: 7000, targetPort: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: bytes, namespace: shop}
spec:
  host: bytes
  trafficPolicy: {connectionPool: {tcp: {idleTimeout: 1s}}}
"""


def test_a_quiet_connection_of_bytes_is_closed(mini: MiniMesh) -> None:
    mini.serve(mesh_of(BYTES), outlets=(Outlet(host="bytes", port=7000, bind_port=mini.outlet),))
    with socket.create_connection(("127.0.0.1", mini.outlet), 10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        response = http.client.HTTPResponse(client)
        response.begin()
        assert response.read()
        assert client.recv(1) == b""


def outlier(spec: str) -> str:
    policy = f"{{loadBalancer: {{simple: ROUND_ROBIN}}, outlierDetection: {spec}}}"
    return f"{_HEAD}  host: reviews\n  trafficPolicy: {policy}\n"


def answering(mini: MiniMesh, times: int = 12, **headers: str) -> set[str]:
    """Who answers."""
    return {got.headers["x-app"] for got in (ask(mini, **headers) for _ in range(times)) if got.status == 200}


EVERYTHING = {"reviews-v1", "reviews-v2", "reviews-v3"}


@pytest.mark.parametrize(("least", "left"), [(0, {"reviews-v3"}), (50, EVERYTHING)])
def test_when_too_few_endpoints_are_well_all_are_used(least: int, left: set[str], mini: MiniMesh) -> None:
    more = f"interval: 60s, baseEjectionTime: 300s, maxEjectionPercent: 100, minHealthPercent: {least}"
    mini.serve(mesh_of(outlier(f"{{consecutive5xxErrors: 1, {more}}}") + NO_RETRIES))
    for name in ("reviews-v1", "reviews-v2"):
        before = counted(mini, "outlier_detection.ejections_enforced_total")
        until(lambda name=name: ask(mini, x_app_fails=name).status == 503)  # type: ignore[misc]
        until(lambda before=before: counted(mini, "outlier_detection.ejections_enforced_total") > before)  # type: ignore[misc]
    until(lambda: answering(mini) == left)
    assert answering(mini) == left


AWAY = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: away, namespace: shop}
spec: {address: 10.0.0.77, labels: {app: reviews, version: v4}}
---
"""


def test_an_endpoint_that_cannot_be_reached_is_set_aside_for_that_alone(
    mini: MiniMesh, monkeypatch: pytest.MonkeyPatch, free_port: type[int]
) -> None:
    monkeypatch.setitem(mini.applications, "outside", free_port())
    more = "interval: 60s, baseEjectionTime: 300s, maxEjectionPercent: 100"
    local = "splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2, consecutive5xxErrors: 0"
    mini.serve(mesh_of(AWAY + outlier(f"{{{local}, {more}}}")))
    until(lambda: ask(mini).status == 200 and counted(mini, "outlier_detection.ejections_active") == 1)
    before = counted(mini, "upstream_cx_connect_fail")
    assert answering(mini) == EVERYTHING
    assert counted(mini, "upstream_cx_connect_fail") == before
    assert {ask(mini, x_app_status="500").status for _ in range(12)} == {500}
    assert answering(mini) == EVERYTHING


LAST = """
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {selector: {app: reviews, tier: "1"}, ports: [{name: http, port: 9080}]}
---
""" + "".join(
    f"""
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: {name}, namespace: shop}}
spec:
  address: 10.0.0.{number}
  serviceAccount: reviews
  labels: {{app: reviews, tier: "NUMBER{number}", security.istio.io/tlsMode: istio}}
---
"""
    for number, name in enumerate(SERVERS[:3], 11)
)


def some(*names: str) -> str:
    """The endpoints of reviews that are left."""
    text = LAST
    for number, name in enumerate(SERVERS[:3], 11):
        text = text.replace(f"NUMBER{number}", "1" if name in names else "2")
    return text


def balanced(spec: str) -> str:
    return f"{_HEAD}  host: reviews\n  trafficPolicy: {{loadBalancer: {spec}}}\n"


@pytest.mark.parametrize("table", ["ringHash: {minimumRingSize: 4096}", "maglev: {tableSize: 4999}"])
def test_when_an_endpoint_leaves_no_more_keys_move_than_were_its_own_and_a_few(table: str, mini: MiniMesh) -> None:
    rule = balanced(f"{{consistentHash: {{httpHeaderName: x-user, {table}}}}}")
    keys = [f"user-{number}" for number in range(300)]

    def owners() -> dict[str, str]:
        return {key: _answering_one(connection, key) for key in keys}

    def are(names: set[str]) -> bool:
        found.update(owners())
        return set(found.values()) == names

    found: dict[str, str] = {}

    mini.serve(mesh_of(some(*SERVERS[:3]) + rule))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", mini.proxy, timeout=20)) as connection:
        until(lambda: are(EVERYTHING))
        before = owners()
        assert before == found
        mini.serve(mesh_of(some("reviews-v1", "reviews-v2") + rule))
        until(lambda: are({"reviews-v1", "reviews-v2"}))
    stayed = [key for key in keys if before[key] != "reviews-v3"]
    moved = [key for key in stayed if found[key] != before[key]]
    # Half of them would move if keys were shared out anew. A ring has as many places for two as it had for three, so
    # each of the two has half as many again, and one key in six moves: of so many keys three tenths once in a million.
    assert len(moved) <= 0.3 * len(stayed), (len(moved), len(stayed))


def _answering_one(connection: http.client.HTTPConnection, key: str) -> str:
    connection.request("GET", "http://reviews:9080/", headers={"Host": "reviews:9080", "x-user": key})
    return Got(connection.getresponse()).headers["x-app"]


WINDOW = 4


def test_a_new_endpoint_gets_its_share_little_by_little(mini: MiniMesh) -> None:
    rule = balanced(f"{{simple: ROUND_ROBIN, warmup: {{duration: {WINDOW}s, minimumPercent: 1, aggression: 1}}}}")

    def share() -> int:
        return Counter(ask(mini).headers["x-app"] for _ in range(30))["reviews-v3"]

    mini.serve(mesh_of(some("reviews-v1", "reviews-v2") + rule))
    time.sleep(WINDOW)
    began = time.monotonic()
    mini.serve(mesh_of(some(*SERVERS[:3]) + rule))
    new, grown = share(), min((time.monotonic() - began) / WINDOW, 1)
    assert new <= 30 * grown / (2 + grown) + 2, "it weighs no more than that of what each of the two others weighs"
    until(lambda: share() == 10)


def test_callers_of_several_addresses_have_endpoints_of_their_own(mini: MiniMesh) -> None:
    mini.serve(
        mesh_of(
            f"{_HEAD}  host: reviews\n  trafficPolicy: {{loadBalancer: {{consistentHash: {{useSourceIp: true}}}}}}\n"
        )
    )

    def answers(source: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", mini.proxy, timeout=10, source_address=(source, 0))
        with contextlib.closing(connection):
            connection.request("GET", "http://reviews:9080/", headers={"Host": "reviews:9080"})
            return Got(connection.getresponse()).headers["x-app"]

    found = {source: answers(source) for source in (f"127.0.0.{number}" for number in range(2, 22))}
    assert {source: answers(source) for source in found} == found
    assert len(set(found.values())) > 1
