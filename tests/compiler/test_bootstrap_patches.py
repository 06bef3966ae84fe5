"""Patches of a bootstrap."""

import json
from typing import Any

import pytest

from tests.compiler.test_patches import patch
from weft.compiler.patches.bootstrap import patched_bootstrap
from weft.model.extension import Context

OWN = {
    "node": {"id": "web-1.shop", "metadata": {"weft": "{}"}},
    "admin": {"address": {"pipe": {"path": "/x", "mode": 384}}},
    "static_resources": {
        "clusters": [
            {
                "name": "xds",
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                        "explicit_http_config": {"http2_protocol_options": {}},
                    }
                },
            }
        ]
    },
}


def made(*values: Any, context: Context = Context.SIDECAR_OUTBOUND) -> tuple[dict[str, Any], list[str]]:
    patches = tuple(patch("BOOTSTRAP", "MERGE", value) for value in values)
    found = patched_bootstrap(json.dumps(OWN).encode(), patches, context)
    return json.loads(found.content), [one.message for one in found.findings]


def test_what_is_merged_is_there_and_the_rest_is_as_it_was():
    stats = {"stats_config": {"stats_tags": [{"tag_name": "x", "fixed_value": "y"}]}}
    content, left = made(stats)
    assert content == OWN | stats
    assert left == []


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"node": {"id": "other"}}, "node"),
        ({"admin": {"address": {"socket_address": {"address": "0.0.0.0", "port_value": 1}}}}, "admin"),
        ({"static_resources": {"clusters": [{"name": "xds"}]}}, "the cluster xds"),
        ({"static_resources": {"clusters": [{"name": "a"}, {"name": "a"}]}}, "one name"),
        ({"stats_flush_interval": "0s"}, "stats_flush_interval"),
    ],
)
def test_what_would_take_the_proxy_from_its_mesh_is_left_out_alone(value: dict[str, Any], why: str):
    content, (left,) = made(value, {"enable_dispatcher_stats": True})
    assert content == OWN | {"enable_dispatcher_stats": True}
    assert why in left


def test_what_is_no_bootstrap_is_refused():
    with pytest.raises(ValueError, match="no bootstrap"):
        patched_bootstrap(b'{"nodes": 1}', (), Context.GATEWAY)
