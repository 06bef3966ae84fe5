"""What is captured, as nft and iptables are told it; no kernel is asked."""

import subprocess
from pathlib import Path

import pytest

from weft.agent.capture.annotations import annotated
from weft.agent.capture.config import CaptureConfig, parse_cidrs, parse_ports
from weft.agent.capture.guardian import script
from weft.agent.capture.iptables import iptables_text, undo_iptables_text
from weft.agent.capture.mechanism import first_line
from weft.agent.capture.nft import nft_text
from weft.agent.capture.rules import ByCgroup, ByOthers, ByUser, Rules, Who, rules_of, table_of
from weft.agent.capture.scope import by_others, mark_of
from weft.kit.errors import UserError

CGROUP = ByCgroup(mount="/sys/fs/cgroup", path="/system.slice/web.service/weft-web")


def rules(who: Who = CGROUP, own: tuple[int, ...] = (8080,), dns: int = 0, **asked: object) -> Rules:
    return rules_of("web", CaptureConfig(**asked), who, 15001, 15006, 0x57, own, dns)  # type: ignore[arg-type]


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def test_a_table_of_the_workloads_own_holds_everything() -> None:
    text = nft_text(rules(), owned=True)
    assert text.count("table ") == 1
    assert lines(text)[:2] == ["table inet weft-web {", "flags owner"]
    assert "flags owner" not in nft_text(rules(), owned=False)


def test_only_the_first_packet_of_a_connection_is_looked_at() -> None:
    text = lines(nft_text(rules(), owned=True))
    first = "tcp flags & (fin|syn|rst|ack) != syn return"
    hooks = [at for at, line in enumerate(text) if line.startswith("type nat hook")]
    assert len(hooks) == 2
    assert all(text[at + 1] == first for at in hooks)


def test_the_application_is_known_by_its_cgroup_and_its_depth() -> None:
    wanted = 'socket cgroupv2 level 3 "system.slice/web.service/weft-web" goto outbound'
    assert wanted in lines(nft_text(rules(), owned=True))


def test_where_both_versions_of_cgroups_are_mounted_the_path_says_so() -> None:
    who = ByCgroup(mount="/sys/fs/cgroup/unified", path="/weft-web")
    assert 'socket cgroupv2 level 1 "unified/weft-web" goto outbound' in lines(nft_text(rules(who), owned=True))


def test_the_application_is_known_by_its_user() -> None:
    assert "meta skuid 1234 goto outbound" in lines(nft_text(rules(ByUser(uid=1234)), owned=True))


def test_a_pod_is_everybody_but_the_sidecars_group() -> None:
    pod = rules(ByOthers(gid=1337))
    assert "meta skgid != 1337 goto outbound" in lines(nft_text(pod, owned=True))
    assert "-m owner ! --gid-owner 1337 -g WEFT_OUT_" in iptables_text(pod, 4)
    assert by_others(1337) == ByOthers(gid=1337)
    with pytest.raises(UserError, match="a group that only the sidecar has"):
        by_others(0)


def test_the_sidecars_own_connections_pass_before_anything_is_asked() -> None:
    output = lines(nft_text(rules(), owned=True))
    assert output.index("meta mark 0x57 return") < output.index(
        "fib daddr type local tcp dport 8080 redirect to :15006"
    )


def test_ssh_is_left_alone_in_both_directions_unless_it_is_named() -> None:
    assert "tcp dport 22 return" in lines(nft_text(rules(), owned=True))
    assert "tcp dport 22 redirect to :15001" in lines(nft_text(rules(include_outbound_ports=(22,)), owned=True))
    assert rules(own=(8080,)).exclude_inbound == (22,)
    assert rules(own=(22,)).inbound_ports == (22,)


def test_exclusions_come_before_what_is_turned_and_ranges_within_others_are_merged() -> None:
    found = rules(exclude_outbound_ports=(3306,), exclude_outbound_cidrs=("10.0.0.0/8", "10.1.0.0/16", "fd00::/8"))
    text = lines(nft_text(found, owned=True))
    turned = text.index("meta l4proto tcp redirect to :15001")
    for excluded in ("tcp dport { 22, 3306 } return", "ip daddr 10.0.0.0/8 return", "ip6 daddr fd00::/8 return"):
        assert text.index(excluded) < turned


def test_only_what_is_included_is_turned() -> None:
    found = rules(include_outbound_ports=(80, 443), include_outbound_cidrs=("10.0.0.0/8",))
    turned = [line for line in lines(nft_text(found, owned=True)) if line.endswith(":15001")]
    assert turned == ["ip daddr 10.0.0.0/8 tcp dport { 80, 443 } redirect to :15001"]


def test_names_are_asked_of_the_resolver_unless_its_port_is_excluded() -> None:
    assert "udp dport 53 redirect to :5353" in lines(nft_text(rules(dns=5353), owned=True))
    assert rules(dns=5353, exclude_outbound_ports=(53,)).dns == 0


def test_inbound_ports_are_those_of_the_workload_those_named_or_all() -> None:
    assert rules().inbound_ports == (8080,)
    assert rules(include_inbound_ports=(9000,)).inbound_ports == (9000,)
    assert rules(own=(8080, 8081), exclude_inbound_ports=(8081,)).inbound_ports == (8080,)
    every = lines(nft_text(rules(own=(), every_inbound=True), owned=True))
    cgroup = 'socket cgroupv2 level 3 "system.slice/web.service/weft-web"'
    assert f"{cgroup} tcp dport != 22 redirect to :15006" in every


def test_addresses_limit_what_comes_in() -> None:
    text = nft_text(rules(at=("10.0.0.1", "fd00::1")), owned=True)
    assert "fib daddr type local" not in text
    assert "ip daddr 10.0.0.1 tcp dport 8080 redirect to :15006" in lines(text)
    assert "ip6 daddr fd00::1 tcp dport 8080 redirect to :15006" in lines(text)


@pytest.mark.parametrize("version", [4, 6])
def test_iptables_gets_the_same_in_chains_of_the_workloads_own(version: int) -> None:
    found = rules(exclude_outbound_cidrs=("10.0.0.0/8", "fd00::/8"), dns=5353)
    text = iptables_text(found, version)
    chains = {line[1:].split()[0] for line in text.splitlines() if line.startswith(":")}
    assert chains == {f"WEFT_{word}_{found.chain}" for word in ("HOST", "OUT", "IN")}
    assert all(len(chain) <= 28 for chain in chains)
    assert [line for line in text.splitlines() if line.startswith("-I")] == [
        f"-I OUTPUT -j WEFT_HOST_{found.chain}",
        f"-I PREROUTING -p tcp --syn -j WEFT_IN_{found.chain}",
    ]
    assert ("10.0.0.0/8" in text, "fd00::/8" in text) == (version == 4, version == 6)
    assert "--dport 53 -j REDIRECT --to-ports 5353" in text


def test_iptables_takes_fifteen_ports_at_a_time() -> None:
    text = iptables_text(rules(exclude_outbound_ports=tuple(range(1000, 1040))), 4)
    spread = [line for line in text.splitlines() if "multiport" in line]
    assert [len(line.partition("--dports ")[2].split()[0].split(",")) for line in spread] == [15, 15, 11]


def test_what_iptables_got_is_taken_out_as_it_was_put_in() -> None:
    undone = undo_iptables_text(rules()).splitlines()
    put_in = [line for line in iptables_text(rules(), 4).splitlines() if line.startswith("-I")]
    assert [line.replace("-D", "-I", 1) for line in undone if line.startswith("-D")] == put_in
    assert (undone[0], undone[-1]) == ("*nat", "COMMIT")


def test_two_workloads_have_nothing_in_common() -> None:
    assert table_of("web") == "weft-web"
    assert table_of("Odd name; drop") != table_of("Odd name, drop")
    assert all(letter.isalnum() or letter == "-" for letter in table_of("Odd name; drop"))
    assert mark_of(15006) != mark_of(15007)


@pytest.mark.parametrize("way", ["nft-owned", "nft", "iptables"])
@pytest.mark.parametrize("who", [CGROUP, ByUser(uid=1234), ByOthers(gid=1337)])
def test_the_guardian_is_a_script_that_any_shell_reads(way: str, who: Who) -> None:
    text = script(rules(who), way, Path("/state/it's here/capture.nft"), Path("/run/weft/capture/web.json"), 10)
    subprocess.run(("sh", "-n"), input=text, text=True, check=True, timeout=10)


def test_ports_and_ranges_are_read_from_lists() -> None:
    assert parse_ports(" 80, 443,80 ", "--x") == (80, 443)
    assert parse_cidrs("10.1.2.3/8,fd00::1", "--x") == ("10.0.0.0/8", "fd00::1/128")


@pytest.mark.parametrize("text", ["0", "65536", "http", "80-90", "٨"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no port"):
        parse_ports(text, "--x")


@pytest.mark.parametrize("text", ["10.0.0.0/33", "web", "10.0.0.0/8/8"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no range of addresses"):
        parse_cidrs(text, "--x")


def test_a_tools_first_words_are_told_without_ornament() -> None:
    assert first_line("# Warning: iptables-legacy tables present\nError: syntax error\nmore") == "syntax error"
    assert first_line("") == "no reason is given"


def test_annotations_say_what_the_command_line_leaves_open() -> None:
    said = {
        "traffic.sidecar.istio.io/excludeOutboundPorts": "3306, 5432",
        "traffic.sidecar.istio.io/includeOutboundPorts": "*",
        "traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.0.0.0/8",
        "traffic.sidecar.istio.io/includeInboundPorts": "80",
        "sidecar.istio.io/inject": "true",
    }
    found = annotated(CaptureConfig(exclude_outbound_cidrs=("fd00::/8",)), said)
    assert found.exclude_outbound_ports == (3306, 5432)
    assert found.include_outbound_ports == ()
    assert found.exclude_outbound_cidrs == ("fd00::/8",)
    assert found.include_inbound_ports == (80,)
    assert annotated(CaptureConfig(), {"traffic.sidecar.istio.io/includeInboundPorts": "*"}).every_inbound
    with pytest.raises(UserError, match="is no port"):
        annotated(CaptureConfig(), {"traffic.sidecar.istio.io/excludeOutboundPorts": "many"})
