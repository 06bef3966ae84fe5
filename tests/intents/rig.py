"""What tests of real proxies beside the intents are made of: a mesh of some documents, and calls in it."""

import contextlib
import http.client
import json
import ssl
from collections.abc import Callable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
import yaml

from tests.dialects.documents import BY_NAME
from tests.intents.intent import EDGE, HERE, SETTINGS, documents
from tests.intents.minimesh import OUTSIDE, MiniMesh, until
from weft.dialects.link import link
from weft.dialects.translate import check, fragment_of
from weft.model.document import Document, Key
from weft.model.mesh import Mesh
from weft.model.settings import Settings

REVIEWS = "{kind: Service, name: reviews}"
JSON = {"content_type": "application/json"}


def mesh_of(text: str, settings: Settings = SETTINGS, may: Set[str] = frozenset({"W0160"})) -> Mesh:
    """The world with some documents; ``may`` are the codes that may be found."""
    fragments = [fragment_of(one, settings) for one in documents(HERE / "world.yaml")]
    for content in yaml.safe_load_all(text):
        if content is None:
            continue
        group = content["apiVersion"].rpartition("/")[0]
        kind = BY_NAME[f"{content['kind']}.{group}"]
        assert {one.code for one in check(kind, content)} <= may, check(kind, content)
        key = Key(group=kind.group, kind=kind.kind, namespace="shop", name=content["metadata"]["name"])
        fragments.append(fragment_of(Document(key=key, content=json.dumps(content).encode()), settings))
    found = link(tuple(fragments), settings, 1)
    assert {one.code for one in found.findings} <= may, found.findings
    return found


def policy(kind: str, spec: str, name: str) -> str:
    """A document of a kind of weft's own."""
    return f"apiVersion: weft.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n{spec}\n"


class Got:
    """An answer, and what the application says that it got."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def seen(self) -> Any:
        return json.loads(self.body)


def ask(
    mini: MiniMesh, method: str = "GET", path: str = "/", *, body: bytes = b"", edge: bool = False, **headers: str
) -> Got:
    """A call of the service ``reviews``, or of the gateway's port 80."""
    host = "shop.example.com" if edge else "reviews:9080"
    port = mini.ports[EDGE] + 80 if edge else mini.proxy
    named = {"Host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path if edge else f"http://{host}{path}", body=body or None, headers=named)
        return Got(connection.getresponse())


def always(condition: Callable[[], bool]) -> None:
    """Wait until it holds for every endpoint: a connection that is left from before answers once more."""
    until(lambda: all(condition() for _ in range(6)))


def trusting_anyone() -> ssl.SSLContext:
    """A client that trusts whoever answers."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextlib.contextmanager
def grpc_service(mini: MiniMesh, service: str, **methods: Any) -> Iterator[grpc.Server]:
    """A gRPC service in the place of every endpoint outside the mesh; meshes served from now on lead to it."""
    served = grpc.server(ThreadPoolExecutor(4))
    served.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(mini.applications, OUTSIDE, served.add_insecure_port("127.0.0.1:0"))
        served.start()
        try:
            yield served
        finally:
            served.stop(None).wait()
