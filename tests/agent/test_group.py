"""How a group's probe is asked."""

import pytest

from weft.agent.config import Probe, ProbeKind
from weft.agent.group import probe_of
from weft.kit.errors import UserError


def test_a_group_without_a_probe_leaves_the_agent_its_own():
    assert probe_of(None) is None


@pytest.mark.parametrize(
    ("said", "kind", "target", "port"),
    [
        ({"httpGet": {"path": "/ready", "port": 8080}}, ProbeKind.HTTP, "/ready", 8080),
        ({"httpGet": {"port": 8080}}, ProbeKind.HTTP, "/", 8080),
        ({"tcpSocket": {"port": 81}}, ProbeKind.TCP, "", 81),
        ({"grpc": {"port": 82, "service": "shop"}}, ProbeKind.GRPC, "shop", 82),
        ({"exec": {"command": ["test", "-f", "a b"]}}, ProbeKind.COMMAND, "test -f 'a b'", 0),
    ],
)
def test_every_way_of_asking_is_known_with_the_defaults_of_kubernetes(said, kind, target, port):
    wanted = Probe(kind=kind, target=target, port=port, interval=10.0, timeout=1.0, healthy_after=1, unhealthy_after=3)
    assert probe_of(said) == wanted


def test_another_host_https_and_headers_are_kept():
    headers = [{"name": "Host", "value": "web"}, {"name": "x-probe", "value": "1"}]
    found = probe_of({"httpGet": {"port": 1, "host": "10.0.0.1", "scheme": "HTTPS", "httpHeaders": headers}})
    assert found is not None
    assert (found.host, found.tls, found.headers) == ("10.0.0.1", True, (("Host", "web"), ("x-probe", "1")))
    tcp = probe_of({"tcpSocket": {"port": 1, "host": "10.0.0.2"}})
    assert tcp is not None
    assert tcp.host == "10.0.0.2"


def test_times_and_thresholds_are_kept():
    times = {"initialDelaySeconds": 4, "timeoutSeconds": 2, "periodSeconds": 7}
    found = probe_of(times | {"successThreshold": 5, "failureThreshold": 6, "tcpSocket": {"port": 1}})
    assert found is not None
    assert (found.delay, found.timeout, found.interval) == (4.0, 2.0, 7.0)
    assert (found.healthy_after, found.unhealthy_after) == (5, 6)


def test_a_probe_that_is_none_is_told():
    with pytest.raises(UserError, match="malformed"):
        probe_of({"httpGet": {"port": "many"}})
