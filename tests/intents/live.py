"""A call of ``calls.yaml`` made for real. What it shows is what ``explain`` said, and under ``live``:

- ``ask``: headers for the application; ``status`` of the answer; ``arrives``: the only applications that may answer;
- ``requests``: how many requests the applications got (null: it varies);
- ``path`` and ``seen``: path and headers as they got them;
- ``got``: headers of the answer, and its ``body``; ``waits``: milliseconds that it took at least;
- ``caller``: the SPIFFE ID that the server's sidecar says has called, null for plaintext;
- ``sample``: so many calls, whose shares are tested; ``in_turn``: so many calls, one endpoint after the other;
- ``one``: so many calls, which one endpoint answers;
- ``tls``: version and cipher that a gateway speaks;
- ``sticky``, ``sticky_cookie``: a header or cookie whose value decides the endpoint;
- ``closed``: the connection ends without an answer;
- ``counted``: the word under which the caller's sidecar counts the request;
- ``apart``: two applications that answer, with the share in percent of each;
- ``certificate``: what a caller of the gateway shows: ``client`` or ``stranger``, none if left out;
- ``ejects``: an application whose endpoint is set aside after so many ``failures``; ``then``: who answers from then
  on, all others if left out.
"""

import contextlib
import http.client
import itertools
import re
import ssl
import time
from collections import Counter
from typing import Any

import pytest

from tests.compiler.sidecars import Answer
from tests.intents.expectation import DEFAULT_CALLER, call_of, shares
from tests.intents.intent import EDGE, caller
from tests.intents.minimesh import MiniMesh, stand_in, until
from tests.intents.rig import trusting_anyone
from weft.compiler.names import cluster_name
from weft.demo.statistics import split_test
from weft.dialects.syntax import is_ip
from weft.explain.call import Call
from weft.model.mesh import Mesh
from weft.model.reporting import PEER_HEADER
from weft.view.build import view_of

# Envoy counts a timer from the beginning of its event loop's turn, which may lie a moment before the request came.
TIMER_MS = 5

KEYS = {"ask", "status", "arrives", "requests", "path", "seen", "got", "body", "waits", "caller", "sample", "in_turn"}
KEYS |= {"sticky", "sticky_cookie", "ejects", "failures", "counted", "closed"}
KEYS |= {"then", "apart", "certificate", "one", "tls"}
FORGED = "forged;forged;forged;forged;forged"
"""Every caller of a live run whose requests are read claims this of itself, in weft's own header."""
_BYTES = ("tcp", "tls", "https")
_LEAST_P = 1e-6
_MANY = 400
_numbers = itertools.count()


class LiveCall:
    """One call of an intent in a mesh that serves it."""

    def __init__(self, wanted: dict[str, Any], mini: MiniMesh, mesh: Mesh) -> None:
        self._wanted = wanted
        self._live: dict[str, Any] = wanted.get("live", {})
        assert self._live.keys() <= KEYS, self._live.keys() - KEYS
        self._mini = mini
        self._endpoints = _endpoints(mesh, mini, wanted)

    def check(self) -> None:
        """Make the call in every way that is asked for."""
        if self._live.get("closed"):
            with pytest.raises((ConnectionError, http.client.HTTPException, ssl.SSLError)):
                self._send("")
            return
        self._check_once()
        ways = {
            "caller": self._check_caller,
            "sample": self._check_shares,
            "apart": self._check_applications,
            "in_turn": self._check_turns,
            "one": self._check_one,
            "tls": self._check_tls,
            "sticky": self._check_sticky_header,
            "sticky_cookie": self._check_sticky_cookie,
            "ejects": self._check_ejection,
            "counted": self._check_statistics,
        }
        for name, way in ways.items():
            if name in self._live:
                way()

    def _check_once(self) -> None:
        number, started = f"call-{next(_numbers)}", time.monotonic()
        answer = self._send(number)
        took = time.monotonic() - started
        assert answer.status == self._status(), (answer.status, answer.body)
        assert took * 1000 >= self._live.get("waits", 0) - TIMER_MS
        if self._reaches():
            assert answer.seen["application"] in self._arrives(), answer.seen
            assert answer.seen["path"] == self._live.get("path", call_of(self._wanted).path)
            assert_headers(self._live.get("seen", {}), answer.seen["headers"])
        assert_headers(self._live.get("got", {}), {name.lower(): value for name, value in answer.headers.items()})
        if "body" in self._live:
            assert answer.body.decode() == self._live["body"]
        self._check_requests(number)

    def _check_requests(self, number: str) -> None:
        copies = [name for cluster in shares(self._wanted, "copies") for name in self._endpoints[cluster]]
        wanted = self._live.get("requests", 1 if self._reaches() else 0)
        if wanted is None:
            return
        seen = self._mini.notes.of(number, least=wanted)
        assert len(seen) == wanted, seen
        if copies:
            assert {one.application for one in seen} & set(copies), seen

    def _check_caller(self) -> None:
        """Connections that were there before the intent are still good: ask until a new one is used."""
        wanted = self._live["caller"]
        until(lambda: _caller(self._send("caller")) == wanted)

    def _check_shares(self) -> None:
        counts = self._counts(self._live["sample"])
        weights = shares(self._wanted)
        if len(weights) == 1:
            assert counts.keys() <= self._arrives()
            return
        (first, share), (second, _) = weights.items()
        drawn = [sum(counts[name] for name in self._endpoints[cluster]) for cluster in (first, second)]
        assert sum(drawn) == self._live["sample"]
        found = split_test(*drawn, share / 100)
        assert found.p >= _LEAST_P, found

    def _check_applications(self) -> None:
        """Two applications behind one cluster, with the share in percent of each."""
        (first, share), (second, _) = self._live["apart"].items()
        counts = self._counts(_MANY)
        assert counts.keys() == {first, second}
        found = split_test(counts[first], counts[second], share / 100)
        assert found.p >= _LEAST_P, found

    def _check_turns(self) -> None:
        """One worker takes the endpoints in turn, so all counts are equal."""
        counts = self._counts(self._live["in_turn"])
        assert set(counts.values()) == {self._live["in_turn"] // len(self._arrives())}, counts

    def _check_one(self) -> None:
        counts = self._counts(self._live["one"])
        assert len(counts) == 1, counts

    def _check_tls(self) -> None:
        with contextlib.closing(self._connect()) as connection:
            assert isinstance(connection.sock, ssl.SSLSocket)
            assert [connection.sock.version(), (connection.sock.cipher() or ("",))[0]] == self._live["tls"]

    def _check_sticky_header(self) -> None:
        name = self._live["sticky"]
        found = {value: self._applications({name: value}) for value in "abcdefghijklmnop"}
        assert all(len(one) == 1 for one in found.values()), found
        assert len(set.union(*found.values())) > 1, found

    def _check_sticky_cookie(self) -> None:
        name, found = self._live["sticky_cookie"], {}
        for _ in range(16):
            answer = self._send("")
            cookie = answer.headers["set-cookie"].partition(";")[0]
            assert cookie.startswith(f"{name}=")
            found[cookie] = {answer.seen["application"]} | self._applications({"cookie": cookie})
        assert all(len(one) == 1 for one in found.values()), found

    def _check_statistics(self) -> None:
        pattern = rf"\.route\.{self._live['counted']}\.upstream_rq_total"
        until(lambda: bool(re.search(r": [1-9]", self._mini.client.ask(f"/stats?filter={pattern}"))))

    def _check_ejection(self) -> None:
        failing = {"x-app-fails": self._live["ejects"]}
        statuses: Counter[int] = Counter()
        for _ in range(30):
            statuses[self._send("", failing).status] += 1
            if statuses[503] == self._live["failures"]:
                self._wait_for_ejection()
        late = 0
        assert statuses.keys() == {503, 200}
        assert self._live["failures"] <= statuses[503] <= self._live["failures"] + late
        left = set(self._live["then"]) if "then" in self._live else self._arrives() - {self._live["ejects"]}
        assert self._counts(12).keys() == left

    def _wait_for_ejection(self) -> None:
        """Another thread of Envoy's ejects: an endpoint that all calls go to might be met again before that."""
        until(lambda: "failed_outlier_check" in self._mini.client.ask("/clusters"))

    def _applications(self, headers: dict[str, str]) -> set[str]:
        """Who answers the same call, made a few times."""
        return {self._send("", headers).seen["application"] for _ in range(4)}

    def _counts(self, times: int) -> Counter[str]:
        """Which applications answered, over one connection to the sidecar where that reads requests."""
        if call_of(self._wanted).scheme in _BYTES:
            return Counter(self._send("").seen["application"] for _ in range(times))
        connection = self._connect()
        try:
            return Counter(self._ask(connection, "", {}).seen["application"] for _ in range(times))
        finally:
            connection.close()

    def _send(self, number: str, extra: dict[str, str] | None = None) -> Answer:
        connection = self._connect()
        try:
            return self._ask(connection, number, extra or {})
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        """To the proxy, to the listener whose address the call names, or, for a call that is passed on as bytes, to the
        local port that stands for it."""
        call = call_of(self._wanted)
        if self._at_the_edge:
            return self._connect_to_gateway(call)
        local = self._mini.outlet if call.scheme in _BYTES else self._mini.proxy
        place = (call.host, call.port) if is_ip(call.host) else ("127.0.0.1", local)
        connection = http.client.HTTPConnection(*place, timeout=20)
        if call.scheme in ("tls", "https"):
            connection.connect()
            connection.sock = trusting_anyone().wrap_socket(connection.sock, server_hostname=call.host)
        return connection

    @property
    def _at_the_edge(self) -> bool:
        return bool(self._wanted.get("from") == EDGE)

    def _connect_to_gateway(self, call: Call) -> http.client.HTTPConnection:
        """As a client outside the mesh."""
        encrypted = call.scheme in ("https", "tls")
        port = self._mini.edge_port(call.port or (443 if encrypted else 80))
        connection = http.client.HTTPConnection(call.host if is_ip(call.host) else "127.0.0.1", port, timeout=20)
        if encrypted:
            context = trusting_anyone()
            if shown := self._live.get("certificate"):
                context.load_cert_chain(*self._mini.certificate(shown))
            connection.connect()
            connection.sock = context.wrap_socket(connection.sock, server_hostname=call.host)
        return connection

    def _ask(self, connection: http.client.HTTPConnection, number: str, extra: dict[str, str]) -> Answer:
        call = call_of(self._wanted)
        own = {name: value for name, value in call.headers if name != "host"}
        forged = {} if call.scheme in _BYTES else {PEER_HEADER: FORGED}
        headers = {"Host": call.authority, "x-call": number, **forged, **own, **self._live.get("ask", {}), **extra}
        place = call.path if call.scheme in _BYTES or self._at_the_edge else f"http://{call.authority}{call.path}"
        connection.request(call.method, place, headers=headers)
        return Answer(connection.getresponse())

    def _status(self) -> int:
        said = self._wanted.get("fails") or self._wanted.get("answer") or "200"
        found = re.match(r"(\d{3})\b", said)
        return self._live["status"] if "status" in self._live else int(found[1]) if found else 0

    def _reaches(self) -> bool:
        """Whether an application answers."""
        fails = "fails" in self._wanted or self._live.get("requests") == 0
        return "to" in self._wanted and not fails and self._status() != 504

    def _arrives(self) -> set[str]:
        said = self._live.get("arrives")
        return set(said) if said else {name for one in shares(self._wanted) for name in self._endpoints[one]}


def check_plaintext(wanted: dict[str, Any], mini: MiniMesh) -> None:
    """A caller without a certificate gets an answer, or none from a STRICT server."""
    until(lambda: _plaintext_status(mini.ports[wanted["workload"]]) == (0 if wanted["mtls"] == "STRICT" else 200))


def _plaintext_status(port: int) -> int:
    """The status, 0 where the connection ends without one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def assert_headers(wanted: dict[str, str | None], found: dict[str, str]) -> None:
    """Each as it is wanted; ``None`` wants it absent."""
    assert {name: found.get(name) for name in wanted} == wanted


def _caller(answer: Answer) -> str | None:
    said = answer.header("x-forwarded-client-cert")
    return said.rpartition("URI=")[2] if said else None


def _endpoints(mesh: Mesh, mini: MiniMesh, wanted: dict[str, Any]) -> dict[str, set[str]]:
    """The applications behind each cluster."""
    view = view_of(mesh, caller(wanted.get("from", DEFAULT_CALLER), mini.proxy))
    return {
        cluster_name(one.target): {stand_in(endpoint.workload) for endpoint in one.endpoints}
        for one in view.outbound.endpoints
    }
