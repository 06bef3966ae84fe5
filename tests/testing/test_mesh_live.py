"""The mesh of tests, in tests: real sidecars, applications of this process, and what happened."""

import asyncio
import json
import socket
from typing import Any

import httpx2
import pytest

import weft
from weft.agent.bootstrap import UNWRITTEN
from weft.client_package import client_module
from weft.kit.errors import UserError
from weft.testing.applications import Request
from weft.testing.mesh import Mesh, Refusal

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
PROGRAM = (
    "import http.server, os\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        self.send_response(203); self.end_headers(); self.wfile.write(os.environ['WEFT_SERVICE'].encode())\n"
    "    def log_message(self, *_): pass\n"
    "http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), H).serve_forever()\n"
)


async def reviews(scope: Any, receive: Any, send: Any) -> None:
    """Asks ratings in its own name, for as long as its caller waits."""
    told = {"caller": str(scope["weft"].caller), "left": scope["weft"].remaining}
    if scope["path"] == "/slow":
        await asyncio.sleep(3)
    else:
        async with weft.AsyncClient("ratings:8000") as ratings:
            told["ratings"] = (await ratings.get("/stars")).json()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"reviews")]})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


def ratings(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """WSGI."""
    served = environ["weft"]
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps({"caller": served.caller.account, "left": served.remaining}).encode()]


@pytest.fixture(scope="module")
def shop(mesh: Mesh) -> Mesh:
    mesh.run("reviews", client_module("asgi").Middleware(reviews), port=9080)
    mesh.run("ratings", client_module("wsgi").Middleware(ratings), port=8000)
    mesh.run("details", lambda request: (201, {"path": request.path}, {"x-by": "details"}))
    mesh.run("program", ["python", "-c", PROGRAM], port=9090)
    mesh.client("web")
    mesh.settle()
    return mesh


def test_applications_call_each_other_in_their_own_names(shop: Mesh) -> None:
    answer = shop.client("web").get("reviews:9080/1", headers={"x-weft-timeout-ms": "9000"})
    assert answer.headers["x-app"] == "reviews"
    told = answer.json()
    assert told["caller"] == "spiffe://cluster.local/ns/default/sa/web"
    assert told["ratings"]["caller"] == "reviews"
    assert 0 < told["ratings"]["left"] < told["left"] <= 9


def test_a_function_and_a_command_are_services_too(shop: Mesh) -> None:
    answer = shop.client("web").get("details/7")
    assert (answer.status_code, answer.json(), answer.headers["x-by"]) == (201, {"path": "/7"}, "details")
    answer = shop.client("web").get("http://program:9090/")
    assert (answer.status_code, answer.text) == (203, "program")


def test_a_client_of_the_environment_goes_through_the_sidecar_and_ends_in_time(shop: Mesh) -> None:
    with client_module("place").placed(shop.client("web").environment):
        with weft.Client("details") as details:
            assert details.get("/8").json() == {"path": "/8"}
            with details.stream("GET", "/9") as answer:
                assert json.loads(b"".join(answer.iter_bytes())) == {"path": "/9"}
        with weft.Client("reviews:9080", timeout=0.3) as late, pytest.raises(TimeoutError):
            late.get("/slow")


def test_what_was_applied_holds_for_the_next_call_and_what_happened_is_told(shop: Mesh) -> None:
    before = len(shop.calls("details"))
    shop.apply(
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: details}
        spec:
          hosts: [details]
          http:
          - match: [{uri: {prefix: /broken}}]
            fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
            route: [{destination: {host: details}}]
          - route: [{destination: {host: details}}]
        """
    )
    web = shop.client("web")
    assert (web.get("details/broken").status_code, web.get("details/whole").status_code) == (418, 201)
    broken, whole = shop.calls("details")[before:]
    assert (broken.status, broken.flags, broken.path, broken.source) == (418, "FI", "/broken", "web")
    assert (whole.status, whole.flags, whole.path, whole.source) == (201, "", "/whole", "web")
    served = shop.calls("details", side="server")[-1]
    assert (served.path, served.identity) == ("/whole", "spiffe://cluster.local/ns/default/sa/web")
    shop.delete("virtualservice", "details")
    assert web.get("details/broken").status_code == 201


def test_whatever_was_answered_is_told_at_once(shop: Mesh) -> None:
    web, details = shop.client("web"), next(one for one in shop.workloads if one.service == "details")
    assert UNWRITTEN in details._asked("GET", "/stats"), "what is asked for is there"
    assert "downstream_rq_active" in details._asked("GET", "/stats")
    for number in range(10):
        assert web.get(f"details/told-{number}").status_code == 201
        assert [call.path for call in shop.calls("details", side="")[-2:]] == [f"/told-{number}"] * 2


def test_a_mistake_is_refused_with_its_place(shop: Mesh) -> None:
    with pytest.raises(Refusal, match='did you mean "hosts"') as refused:
        shop.apply(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: x}\nspec: {hostz: [x]}\n"
        )
    assert "applied:4:" in str(refused.value)


def test_who_is_in_no_mesh_has_no_identity(shop: Mesh) -> None:
    details = next(one for one in shop.workloads if one.service == "details")
    answer = httpx2.get(f"http://{details.inbound(shop.api)}/plain", trust_env=False)
    assert answer.status_code == 201
    call = shop.wait_for(lambda: [c for c in shop.calls("details", side="server") if c.path == "/plain"])[0]
    assert (call.source, call.identity) == ("", "")


def test_a_workload_that_ends_is_not_waited_for_in_vain(shop: Mesh) -> None:
    wrong = shop.run("wrong", ["python", "-c", "raise SystemExit('no database')"])
    try:
        with pytest.raises(UserError, match="no database"):
            shop.settle()
    finally:
        shop.workloads.remove(wrong)
        wrong.close()


def test_waiting_for_what_does_not_come_tells_why(shop: Mesh) -> None:
    def not_yet() -> bool:
        raise AssertionError("three of four")

    with pytest.raises(TimeoutError, match=r"the fourth, not after 0.1 s: three of four"):
        shop.wait_for(not_yet, "the fourth", 0.1)


def test_a_removed_workload_leaves_nothing(shop: Mesh) -> None:
    gone = shop.run("gone", lambda _: "here", port=8081)
    assert shop.client("web").get("gone:8081").text == "here"
    address, _, port = gone.inbound(shop.api).partition(":")
    shop.remove(gone)
    assert not gone.running
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that were closed linger
        again.bind((address, int(port)))
        again.listen()
    names = [item["metadata"]["name"] for item in shop.api.get("/apis/networking.istio.io/v1/workloadentries")["items"]]
    assert gone.name not in names


def test_requests_of_functions_have_bodies() -> None:
    environ = {"REQUEST_METHOD": "GET", "HTTP_X_A": "b"}
    asked = Request(environ)
    assert (asked.path, asked.headers, asked.body) == ("/", {"x-a": "b"}, b"")
