"""What one listener is refused for holds up no other."""

import contextlib
import http.client

import pytest

from tests.compiler.sidecars import Answer
from tests.intents.intent import world
from tests.intents.minimesh import MiniMesh, until
from tests.intents.rig import mesh_of
from weft.model.mesh import Mesh
from weft.view.node import Outlet

pytestmark = pytest.mark.live

PATCHES = """
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: both, namespace: shop}
spec:
  workloadSelector: {labels: {app: web}}
  configPatches:
    - applyTo: HTTP_FILTER
      match: {context: SIDECAR_OUTBOUND, listener: {name: LISTENER}}
      patch:
        operation: INSERT_FIRST
        value:
          name: broken
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
            default_source_code: {inline_string: "this is no Lua"}
    - applyTo: HTTP_FILTER
      match: {context: SIDECAR_OUTBOUND, listener: {name: http_proxy}}
      patch:
        operation: INSERT_FIRST
        value:
          name: sound
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
            mutations:
              response_mutations: [{append: {header: {key: x-sound, value: "NUMBER"}}}]
"""


def call(mini: MiniMesh, port: int) -> Answer:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        place = "/" if port == mini.outlet else "http://reviews:9080/"
        connection.request("GET", place, headers={"Host": "reviews:9080"})
        return Answer(connection.getresponse())


def test_a_listener_that_envoy_refuses_stays_and_the_others_change(mini: MiniMesh):
    outlets = (Outlet(host="reviews", port=9080, bind_port=mini.outlet),)
    mini.serve(world(), outlets=outlets)
    listener = f"upstream_127.0.0.1_{mini.outlet}"

    def patched(number: int) -> Mesh:
        return mesh_of(PATCHES.replace("LISTENER", listener).replace("NUMBER", str(number)))

    for number in (1, 2):
        mini.prepare(patched(number), outlets)
        until(lambda number=number: call(mini, mini.proxy).headers.get("x-sound") == str(number))  # type: ignore[misc]
        assert call(mini, mini.outlet).status == 200
    mini.prepare(world(), outlets)
    until(lambda: "x-sound" not in call(mini, mini.proxy).headers)
    assert call(mini, mini.outlet).status == 200
