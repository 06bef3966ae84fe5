"""T8: the author of a document wants the control plane to ask where only it can. It asks public addresses or nobody."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.intents.minimesh import until
from tests.threats.plane import Plane
from weft.alerting.formats import Message
from weft.alerting.posting import Undelivered, posted

pytestmark = pytest.mark.live
PATH = "/apis/security.istio.io/v1/namespaces/evil/requestauthentications"


class Inside:
    """Something that only the control plane can reach; it counts who comes."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.callers = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            self.callers += 1
            caller.close()

    def stop(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def inside() -> Iterator[Inside]:
    one = Inside()
    yield one
    one.stop()


def _rule(index: int, uri: str) -> dict[str, object]:
    return {"issuer": f"issuer-{index}", "jwksUri": uri}


HOSTS = (
    "127.0.0.1",
    "localhost",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "169.254.169.254",
    "localhost.",
)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_alert_is_sent_to_an_address_of_the_inside(scheme: str, host: str, inside: Inside) -> None:
    message = Message(b"{}", path="/api/v2/alerts")
    with pytest.raises(Undelivered) as refused:
        asyncio.run(posted(f"{scheme}://{host}:{inside.port}/", message, (), 10.0))
    assert inside.callers == 0
    assert str(inside.port) not in str(refused.value), "what is told of it names no place"


def test_no_address_of_the_inside_is_ever_asked(attacked: Plane, inside: Inside) -> None:
    uris = [f"{scheme}://{host}:{inside.port}/keys" for host in HOSTS for scheme in ("http", "https")]
    document = {
        "apiVersion": "security.istio.io/v1",
        "kind": "RequestAuthentication",
        "metadata": {"name": "inward"},
        "spec": {"jwtRules": [_rule(index, uri) for index, uri in enumerate(uris)]},
    }
    assert attacked.ask("POST", PATH, document).status == 201
    _until_told(attacked, len(uris))
    assert inside.callers == 0
    assert attacked.ask("DELETE", f"{PATH}/inward").status in (200, 404)


@pytest.mark.parametrize("uri", ["file:///etc/shadow", "gopher://127.0.0.1/", "ftp://1.1.1.1/", "unix:///run/x", ""])
def test_only_urls_of_the_web_are_taken(uri: str, attacked: Plane) -> None:
    document = {
        "apiVersion": "security.istio.io/v1",
        "kind": "RequestAuthentication",
        "metadata": {"name": "odd"},
        "spec": {"jwtRules": [_rule(0, uri)]},
    }
    assert attacked.ask("POST", PATH, document).status == 422


def _until_told(attacked: Plane, count: int) -> None:
    """Return once the control plane has tried the keys of all and said that they cannot be had."""
    until(lambda: attacked.log.count("the keys of an issuer cannot be fetched") >= count)
    findings = json.dumps(json.loads(attacked.ask("GET", "/weft/v1/findings").body))
    assert all(f"issuer-{index}" in findings for index in range(count)), findings
