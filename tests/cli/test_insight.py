"""token, proxy, explain, check against a real control plane, with a scripted sidecar where one is needed."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Running, Weft
from tests.cli.test_bad_input import GOOD, route


def test_only_the_token_goes_to_stdout(weft: Weft) -> None:
    done = weft("token", "create", "--namespace", "shop", "--service-account", "web", "--ttl", "90s")
    assert done.code == 0
    assert done.out.startswith("weft_join_")
    assert len(done.out.split()) == 1
    assert done.err == "for web in shop, once, within 1m30s\n"


def test_tokens_are_listed_without_themselves_and_revoked_by_id(weft: Weft) -> None:
    token = weft("token", "create", "-n", "shop", "--service-account", "gone").out.strip()
    rows = [line.split() for line in weft("token", "list").out.splitlines()[1:]]
    ids = [row[0] for row in rows if row[2] == "gone"]
    assert len(ids) == 1
    assert token not in str(rows)
    assert weft("token", "revoke", ids[0]).out == f"token {ids[0]} revoked\n"
    assert "gone" not in weft("token", "list").out
    assert weft("token", "revoke", ids[0]).code == 4


@pytest.mark.parametrize("ttl", ["10", "x", "0s", "-1m"])
def test_a_ttl_that_is_no_duration_is_a_usage_error(ttl: str, weft: Weft) -> None:
    done = weft("token", "create", "-n", "shop", "--service-account", "web", f"--ttl={ttl}")
    assert done.code == 2


def test_a_token_that_would_live_too_long_is_refused(weft: Weft) -> None:
    done = weft("token", "create", "-n", "shop", "--service-account", "web", "--ttl", "30d")
    assert done.code == 1
    assert "at most 7 days" in done.err


def test_an_account_that_makes_no_identity_is_refused(weft: Weft) -> None:
    done = weft("token", "create", "-n", "shop", "--service-account", "a b")
    assert done.code == 1
    assert "SPIFFE ID" in done.err


def test_no_sidecars_is_said_not_printed(weft: Weft) -> None:
    done = weft("proxy", "status")
    assert (done.code, done.out, done.err) == (0, "", "no sidecar is connected\n")
    assert json.loads(weft("proxy", "status", "-o", "json").out) == {"items": [], "absent": []}


@pytest.mark.parametrize(
    "arguments", [("proxy", "config", "routes", "web"), ("explain", "web", "GET", "http://reviews:9080/")]
)
def test_a_sidecar_that_is_not_there_is_exit_code_4(arguments: tuple[str, ...], weft: Weft) -> None:
    assert weft(*arguments).code == 4


def test_a_url_that_is_none_is_told_with_an_example(weft: Weft) -> None:
    done = weft("explain", "web", "GET", "reviews")
    assert done.code == 1
    assert "reviews is not a URL" in done.err
    assert "http://reviews:9080" in done.err


def test_a_header_without_a_colon_is_a_usage_error(weft: Weft) -> None:
    assert weft("explain", "web", "GET", "http://reviews/", "-H", "x").code == 2


def test_check_tells_what_is_well_and_what_is_not(weft: Weft, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(GOOD + route(host="revews"))
    assert weft("check").code == 0
    weft("apply", "-n", "checked", "-f", str(file))
    done = weft("check")
    assert done.code == 0
    assert "[W0201]" in done.out
    assert "VirtualService checked/reviews" in done.out
    assert weft("check", "--strict").code == 3
    states = {row["state"] for row in json.loads(weft("check", "-o", "json").out)["items"]}
    assert states == {"ok", "warn"}
    weft("delete", "-n", "checked", "-f", str(file))


@pytest.fixture
def sidecar(weft: Weft, control_plane: Running, tmp_path: Path) -> Iterator[str]:
    """A scripted sidecar of web in namespace shop that accepts everything; gives its name."""
    from tests.cli.sidecar import Sidecar

    file = tmp_path / "shop.yaml"
    file.write_text(GOOD + route())
    assert weft("apply", "-n", "shop", "-f", str(file)).code == 0
    token = weft("token", "create", "-n", "shop", "--service-account", "web").out.strip()
    with Sidecar(control_plane, token) as connected:
        _wait_synced(weft)
        yield connected.name
    weft("delete", "-n", "shop", "-f", str(file))


def _wait_synced(weft: Weft) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        states = [one["state"] for one in json.loads(weft("proxy", "status", "-o", "json").out)["items"]]
        if states == ["SYNCED"]:
            return
        time.sleep(0.05)
    raise AssertionError(f"the sidecar is not in sync: {states}")


def test_a_connected_sidecar_is_shown_with_its_state(weft: Weft, sidecar: str) -> None:
    done = weft("proxy", "status")
    head, row = done.out.splitlines()
    assert head.split() == ["NAME", "CLUSTERS", "ENDPOINTS", "LISTENERS", "ROUTES", "EXTENSIONS", "CONNECTED"]
    assert row.split()[0] == sidecar
    assert "SYNCED" in row
    assert "of 1 sidecars have what they should" in weft("check").out


def test_the_beginning_of_a_name_is_enough_to_see_what_a_sidecar_has(weft: Weft, sidecar: str) -> None:
    routes = weft("proxy", "config", "routes", sidecar[:3])
    assert routes.code == 0
    assert "outbound|9080|v1|reviews.shop.svc.cluster.local 90 %" in routes.out
    clusters = json.loads(weft("proxy", "config", "clusters", sidecar, "-o", "json").out)
    assert "outbound|9080|v1|reviews.shop.svc.cluster.local" in [one["name"] for one in clusters]
    listeners = weft("proxy", "config", "listeners", sidecar)
    assert "127.0.0.1   15001   HTTP    routes http_proxy" in listeners.out


def test_explain_follows_a_call_and_says_why_it_fails(weft: Weft, sidecar: str) -> None:
    done = weft("explain", "web", "GET", "http://reviews:9080/reviews/1")
    assert done.code == 1
    assert f"from {sidecar}" in done.out
    assert "90 % to outbound|9080|v1|reviews.shop.svc.cluster.local" in done.out
    assert "has no endpoints: 503" in done.out
    unknown = json.loads(weft("explain", "web", "GET", "tcp://nowhere:1", "-o", "json").out)
    assert unknown["ok"] is False
    assert unknown["steps"][0]["name"] == "listener"


@pytest.mark.parametrize("narrowed", [("-n", "shop"), ("-A",), ("-l", "app=nobody"), ("-n", "shop", "-l", "app=web")])
def test_traces_are_listed_by_who_takes_part(narrowed: tuple[str, ...], weft: Weft) -> None:
    done = weft("trace", "list", *narrowed, "-o", "json")
    assert (done.code, json.loads(done.out)) == (0, {"items": []}), done.err
