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


def test_times_and_thresholds_are_kept():
    times = {"initialDelaySeconds": 4, "timeoutSeconds": 2, "periodSeconds": 7}
    found = probe_of(times | {"successThreshold": 5, "failureThreshold": 6, "tcpSocket": {"port": 1}})
    assert found is not None
    assert (found.delay, found.timeout, found.interval) == (4.0, 2.0, 7.0)
    assert (found.healthy_after, found.unhealthy_after) == (5, 6)


def test_a_probe_that_is_none_is_told():
    with pytest.raises(UserError, match="malformed"):
        probe_of({"httpGet": {"port": "many"}})
