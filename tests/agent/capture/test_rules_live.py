"""The rules in the kernel: hosts of their own, and listeners that tell where connections were sent."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.agent.capture.captive import Captive, captive, wait_until
from tests.agent.capture.lan import Host, lan
from tests.agent.capture.programs import HEARS, SAYS
from tests.agent.capture.tools import CAPTURES

pytestmark = [pytest.mark.live, pytest.mark.root, CAPTURES]
PORT, OTHER = 8080, 9090
FORMS = (
    "nft",
    "user-iptables",
    pytest.param("iptables", marks=pytest.mark.soak),
    pytest.param("user", marks=pytest.mark.soak),
)
"""Each way to hold rules and to know an application once; the rest of the pairs at leisure."""


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    """The workload's host and another, on which a server listens at all ports that are called."""
    with lan("own", "peer") as (own, peer):
        for tool, theirs in (("iptables", "192.0.2.9"), ("ip6tables", "fd00::9")):
            for chain in ("OUTPUT", "PREROUTING"):
                own.run(tool, "-t", "nat", "-A", chain, "-d", theirs, "-p", "tcp", "-j", "REDIRECT", "--to-ports", "9")
        for apart in ("10.88.0.1", "fd88::1"):
            peer.run("ip", "address", "add", apart, "dev", "eth0")
            own.run("ip", "route", "add", apart, "via", peer.address6 if ":" in apart else peer.address)
        servers = [peer.popen(sys.executable, "-c", SAYS, str(port), "peer") for port in (PORT, OTHER, 22)]
        for port in (PORT, OTHER, 22):
            wait_until(lambda port=port: f":{port} " in peer.run("ss", "-ltn"))  # type: ignore[misc]
        yield own, peer
        for server in servers:
            server.kill()
            server.communicate()


@pytest.fixture(scope="module", params=FORMS)
def workload(
    request: pytest.FixtureRequest, hosts: tuple[Host, Host], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Captive]:
    """A captured server on PORT, by each kind of rules, beside a server on OTHER that is not."""
    own, _ = hosts
    runtime = tmp_path_factory.mktemp("runtime")
    runtime.chmod(0o755)
    capture: dict[str, object] = {"mechanism": "iptables" if "iptables" in request.param else "nft"}
    capture |= {"exclude_outbound_ports": [7777], "exclude_outbound_cidrs": ["10.88.0.0/16", "fd88::/16"]}
    by_user = "user" in request.param
    asked: dict[str, Any] = {"capture": capture | ({"scope": "user"} if by_user else {}), "ports": [PORT]}
    asked |= {"run_as": "games"} if by_user else {}
    before = own.rules()
    beside = own.popen(sys.executable, "-c", SAYS, str(OTHER), "beside")
    with captive(
        own, f"web-{request.param}", runtime, "/usr/bin/python3", "-c", SAYS, str(PORT), "web", **asked
    ) as made:
        wait_until(lambda: f":{PORT} " in own.run("ss", "-ltn") and f":{OTHER} " in own.run("ss", "-ltn"))
        yield made
    beside.kill()
    beside.communicate()
    wait_until(lambda: own.rules() == before)


def heard(caller: Host | Captive, address: str, port: int) -> str:
    """What a program hears that connects."""
    command = ("/usr/bin/python3", "-c", HEARS, address, str(port))
    return caller.call(*command) if isinstance(caller, Captive) else caller.run(*command, check=False).strip()


def test_what_the_application_opens_comes_to_its_sidecar_with_its_destination(
    workload: Captive, hosts: tuple[Host, Host]
) -> None:
    own, peer = hosts
    assert heard(workload, peer.address, OTHER) == f"outbound {peer.address} {OTHER} from {own.address}"
    assert heard(workload, peer.address6, OTHER) == f"outbound {peer.address6} {OTHER} from {own.address6}"


def test_what_other_programs_open_stays_as_it_is(workload: Captive, hosts: tuple[Host, Host]) -> None:
    own, peer = hosts
    assert heard(own, peer.address, OTHER) == f"peer from {own.address}"
    assert heard(own, peer.address6, OTHER) == f"peer from {own.address6}"


def test_excluded_ports_and_ranges_are_not_captured(workload: Captive, hosts: tuple[Host, Host]) -> None:
    own, peer = hosts
    assert heard(workload, peer.address, 22) == f"peer from {own.address}"
    assert heard(workload, peer.address, 7777).endswith("Connection refused")
    assert heard(workload, peer.address, 7778).startswith("outbound")
    assert heard(workload, "10.88.0.1", OTHER) == f"peer from {own.address}"
    assert heard(workload, "fd88::1", OTHER) == f"peer from {own.address6}"


def test_what_others_open_to_the_application_comes_to_its_sidecar(workload: Captive, hosts: tuple[Host, Host]) -> None:
    own, peer = hosts
    assert heard(peer, own.address, PORT) == f"inbound {own.address} {PORT} from {peer.address}"
    assert heard(peer, own.address6, PORT) == f"inbound {own.address6} {PORT} from {peer.address6}"
    assert heard(own, own.address, PORT) == f"inbound {own.address} {PORT} from {own.address}"
    assert heard(own, "127.0.0.1", PORT) == f"inbound 127.0.0.1 {PORT} from 127.0.0.1"
    assert heard(own, "::1", PORT) == f"inbound ::1 {PORT} from ::1"


def test_other_ports_of_the_host_stay_as_they_are(workload: Captive, hosts: tuple[Host, Host]) -> None:
    own, peer = hosts
    assert heard(peer, own.address, OTHER) == f"beside from {peer.address}"
    assert heard(own, "127.0.0.1", OTHER) == "beside from 127.0.0.1"


def test_the_application_reaches_itself_and_its_neighbours_on_loopback_directly(
    workload: Captive, hosts: tuple[Host, Host]
) -> None:
    own, _ = hosts
    assert heard(workload, "127.0.0.1", PORT) == "web from 127.0.0.1"
    assert heard(workload, "::1", PORT) == "web from ::1"
    assert heard(workload, own.address, PORT) == f"web from {own.address}"
    assert heard(workload, own.address6, PORT) == f"web from {own.address6}"
    assert heard(workload, "127.0.0.1", OTHER) == "beside from 127.0.0.1"


def test_what_others_have_at_an_own_address_is_called_through_the_sidecar(
    workload: Captive, hosts: tuple[Host, Host]
) -> None:
    own, _ = hosts
    assert heard(workload, own.address, OTHER) == f"outbound {own.address} {OTHER} from {own.address}"
