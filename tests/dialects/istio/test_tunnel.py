"""Tunnels of a DestinationRule."""

import pytest

from tests.dialects.documents import checked, codes, fragment
from weft.model.traffic import Tunnel


def rule(tunnel: str) -> str:
    return f"host: proxy.example.com\ntrafficPolicy: {{tunnel: {tunnel}}}"


@pytest.mark.parametrize(
    ("written", "tunnel"),
    [
        ("{targetHost: far.example.com, targetPort: 443}", Tunnel(host="far.example.com", port=443)),
        ("{protocol: CONNECT, targetHost: 10.0.0.1, targetPort: 1}", Tunnel(host="10.0.0.1", port=1)),
        ("{protocol: POST, targetHost: '2001:db8::1', targetPort: 1}", Tunnel(host="2001:db8::1", port=1, post=True)),
    ],
)
def test_a_tunnel_is_asked_for_by_connect_unless_it_is_posted(written: str, tunnel: Tunnel) -> None:
    (policy,) = fragment("DestinationRule", rule(written)).policies
    assert policy.policy.tunnel == tunnel


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{protocol: GET, targetHost: a.example, targetPort: 1}", ("W0102", "protocol")),
        ("{targetHost: '*.example', targetPort: 1}", ("W0107", "targetHost")),
        ("{targetHost: a.example, targetPort: 0}", ("W0115", "targetPort")),
        ("{targetPort: 1}", ("W0105", "targetHost")),
    ],
)
def test_what_cannot_be_is_refused(written: str, expected: tuple[str, str]) -> None:
    code, field = expected
    assert codes(checked("DestinationRule", rule(written))) == [(code, f"spec.trafficPolicy.tunnel.{field}")]
