"""Changes under load: listeners, clusters and routes come and go while requests run, and none of these is lost.

Clusters are made before routes lead to them and go after the last route has left; a changed listener takes new
connections while the old one's end in good order.
"""

import http.client
import threading
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.intents.intent import HERE, SETTINGS, documents, world
from tests.intents.minimesh import MiniMesh, minimesh
from weft.dialects.link import link
from weft.dialects.mesh_settings import mesh_config_key, settings_of
from weft.dialects.translate import fragment_of
from weft.model.document import Document, Key
from weft.model.mesh import Mesh

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(240)]

LISTENERS, CLUSTERS, ROUTES = 30, 60, 60
REQUESTS = 20_000
CLIENTS = 4
_SECONDS = 150


class Load:
    """Clients that keep their connections and send one request after the other until there are enough of them."""

    def __init__(self, port: int) -> None:
        self.answers: Counter[str] = Counter()
        self.changed = threading.Event()
        self._port = port
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        for thread in self._threads:
            thread.join(_SECONDS)

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while self._wanted():
            answer = self._ask(connection)
            with self._lock:
                self.answers[answer] += 1
        connection.close()

    def _wanted(self) -> bool:
        """At least so many requests, and as long as changes are made."""
        return self.answers.total() < REQUESTS or not self.changed.is_set()

    def _ask(self, connection: http.client.HTTPConnection) -> str:
        """The status, or what went wrong; a connection that the server said it would close is opened anew."""
        try:
            connection.request("GET", "http://reviews:9080/", headers={"Host": "reviews:9080"})
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as wrong:
            connection.close()
            return f"{type(wrong).__name__}: {wrong}"
        else:
            return str(response.status)


def document(kind: str, name: str, spec: dict[str, object]) -> Document:
    key = Key(group="networking.istio.io", kind=kind, namespace="shop", name=name)
    metadata = {"name": name, "namespace": "shop"}
    content = {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}
    return Document(key=key, content=msgspec.json.encode(content))


def configuration(listeners: int, clusters: int, routes: int) -> Mesh:
    """The mesh after so many changes of each kind; every change of a route leads to a cluster that was not there."""
    subset = {"name": f"s{routes}", "labels": {"version": f"v{routes % 3 + 1}"}}
    pool = {"tcp": {"connectTimeout": f"{5000 + clusters}ms"}}
    rule = document(
        "DestinationRule",
        "reviews",
        {"host": "reviews", "subsets": [subset], "trafficPolicy": {"connectionPool": pool}},
    )
    destination = {"destination": {"host": "reviews", "subset": subset["name"]}}
    table = document("VirtualService", "reviews", {"hosts": ["reviews"], "http": [{"route": [destination]}]})
    paths = ("BASE", "MERGE_SLASHES")[listeners % 2]
    key = mesh_config_key(SETTINGS)
    data = {"data": {"mesh": f"pathNormalization: {{normalization: {paths}}}"}}
    configured = settings_of(Document(key=key, content=msgspec.json.encode(data)), SETTINGS, SETTINGS)
    every = (*documents(HERE / "world.yaml"), rule, table)
    return link(tuple(fragment_of(one, configured.settings) for one in every), configured.settings, 1)


def steps() -> list[tuple[int, int, int]]:
    """How many of each kind were made after each change, one at a time and the kinds mixed evenly."""
    wanted = (LISTENERS, CLUSTERS, ROUTES)
    order = sorted((number / count, kind) for kind, count in enumerate(wanted) for number in range(count))
    done = [0, 0, 0]
    found = []
    for _, kind in order:
        done[kind] += 1
        found.append((done[0], done[1], done[2]))
    return found


def test_no_request_is_lost_while_listeners_clusters_and_routes_change(tmp_path: Path) -> None:
    with minimesh(tmp_path, world()) as mini:
        mini.serve(configuration(0, 0, 0))
        load = Load(mini.proxy)
        load.start()
        try:
            _change(mini)
        finally:
            load.changed.set()
            load.finish()
        updated = mini.client.statistic("listener_manager.listener_in_place_updated")
        assert updated + mini.client.statistic("listener_manager.listener_modified") >= LISTENERS
        assert mini.client.statistic("cluster_manager.cluster_added") >= ROUTES
        assert mini.client.statistic("cluster_manager.cluster_modified") >= CLUSTERS
    assert load.answers.total() >= REQUESTS
    assert load.answers == {"200": load.answers.total()}


def _change(mini: MiniMesh) -> None:
    """All changes, each once the one before is used everywhere, and a moment between them for requests."""
    for counts in steps():
        mini.serve(configuration(*counts))
        time.sleep(0.05)
