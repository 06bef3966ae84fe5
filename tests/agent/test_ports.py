"""Ports of a sidecar, chosen while others choose theirs."""

import random
from pathlib import Path

from weft.agent.config import AgentConfig, DnsConfig
from weft.agent.ports import Ports


def test_two_agents_that_start_at_once_take_different_ports_for_names(tmp_path: Path) -> None:
    config = AgentConfig(service="web", name="web", command=("true",), state_dir=tmp_path, dns=DnsConfig())
    first, second = Ports(random.Random(1)), Ports(random.Random(2))
    try:
        chosen = [each.plan(config).dns for each in (first, second)]
        assert len(set(chosen)) == 2
    finally:
        first.close()
        second.close()
