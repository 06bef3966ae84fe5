"""The listener of connections from an application in a network of its own."""

from msgspec.structs import replace

from tests.view.meshes import mesh, node, service
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft.compiler.names import CAPTURED_INBOUND, CAPTURED_OUTBOUND
from weft.compiler.resource import LISTENER
from weft.compiler.resources import resources_of
from weft.model.service import Port, Protocol
from weft.view.build import view_of
from weft.view.node import Capture


def listeners() -> dict[str, Listener]:
    apart = replace(node(http_proxy=None), capture=Capture(outbound=0, inbound=0, way="/run/capture.sock"))
    http = Port(number=9080, name="http", protocol=Protocol.HTTP)
    found = resources_of(view_of(mesh(service("reviews", http)), apart)).resources
    return {one.name: Listener.FromString(one.body) for one in found if one.type_url == LISTENER}


def test_it_is_a_unix_socket_of_the_sidecars_alone_and_hands_on_by_where_a_header_says_they_were_sent() -> None:
    way = listeners()[CAPTURED_OUTBOUND]
    assert (way.address.pipe.path, way.address.pipe.mode) == ("/run/capture.sock", 0o600)
    assert [one.name for one in way.listener_filters] == ["envoy.filters.listener.proxy_protocol"]
    assert way.use_original_dst.value


def test_what_others_open_does_not_come_by_it() -> None:
    found = listeners()
    assert CAPTURED_INBOUND not in found
    assert "0.0.0.0_9080" in found
