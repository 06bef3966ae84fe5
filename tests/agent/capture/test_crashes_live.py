"""Fifty starts and crashes in a row, of agents, sidecars and applications."""

from pathlib import Path

import pytest

from tests.agent.capture.captured_mesh import KILLED, captured_mesh, crash, is_as_before
from tests.agent.capture.tools import CAPTURES

pytestmark = [pytest.mark.live, pytest.mark.root, pytest.mark.soak, CAPTURES]


@pytest.mark.timeout(900)
def test_fifty_starts_and_crashes_leave_no_rule_behind(tmp_path: Path) -> None:
    """The rules as nft and iptables print them are, byte for byte, what they were before."""
    with captured_mesh(tmp_path) as mesh:
        before = mesh.clients.rules()
        for turn in range(50):
            with mesh.workload(mesh.clients, "brief", "--", "sleep", "600") as workload:
                assert "weft-brief" in mesh.clients.rules()
                crash(workload, KILLED[turn % len(KILLED)])
            is_as_before(mesh, mesh.clients, before, "brief")
