"""What is asked of a sidecar through its agent: what it runs, how much it logs, what it says of itself."""

import asyncio
import json
import sys
import tarfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import click
import pytest
import pytest_asyncio

from tests.agent.rig import SERVER, Agent, running
from tests.cli.conftest import Result, Running, Weft, run_weft
from weft.agent.config import AgentConfig, Restart, parse_port
from weft.cli.live_names import proxies
from weft.cli.main import loaded
from weft.cli.main import weft as group

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.live]


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def server(control_plane: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Agent]:
    """``reviews-1`` of namespace ``shop``."""
    directory = tmp_path_factory.mktemp("agents")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEFT_STATE", str(control_plane.state.root))
        token = await asyncio.to_thread(run_weft, "token", "create", "-n", "shop", "--service", "reviews")
    (directory / "token").write_text(token.out)
    config = AgentConfig(
        service="reviews",
        version="v2",
        name="reviews-1",
        command=(sys.executable, "-c", SERVER),
        state_dir=directory,
        ports=(parse_port("9080:auto"),),
        token_file=directory / "token",
        join_url=control_plane.addresses.agents,
        ca_file=control_plane.state.bundle,
        drain_seconds=0.1,
        heartbeat_seconds=0.5,
        restart=Restart.NEVER,
    )
    async with running(config) as agent:
        await agent.says("is registered")
        yield agent
        await agent.stop()


async def asked(weft: Weft, *arguments: str) -> Result:
    return await asyncio.to_thread(weft, *arguments)


async def test_a_sidecar_runs_what_it_was_sent(weft: Weft) -> None:
    def settled(*form: str) -> Result:
        """What is said once the sidecar has what came with its own registration."""
        end = time.monotonic() + 10
        while (done := weft("proxy", "diff", "reviews-1", *form)).code and time.monotonic() < end:
            time.sleep(0.2)
        return done

    same = await asyncio.to_thread(settled)
    assert "resources run as they were sent" in same.out
    items = json.loads((await asyncio.to_thread(settled, "-o", "json")).out)["items"]
    kinds = {one["kind"] for one in items}
    assert kinds >= {"listeners", "routes", "clusters"}
    assert {one["state"] for one in items} == {"same"}


async def test_a_level_is_changed_for_all_loggers_or_for_one(weft: Weft) -> None:
    before = await asked(weft, "proxy", "log-level", "reviews-1", "-o", "json")
    assert {one["logger"] for one in json.loads(before.out)["items"]} >= {"http", "router", "upstream"}
    done = await asked(weft, "proxy", "log-level", "reviews-1", "error", "http=debug")
    levels = dict(line.split() for line in done.out.splitlines()[1:])
    assert levels["http"] == "debug"
    assert levels["router"] == "error"
    refused = await asked(weft, "proxy", "log-level", "reviews-1", "http=loud")
    assert refused.code == 1
    assert "loud is no level" in refused.err
    back = await asked(weft, "proxy", "log-level", "reviews-1", "warning")
    assert back.code == 0
    audit = await asked(weft, "audit", "--what", "reviews-1", "-o", "json")
    assert "update" in {one["verb"] for one in json.loads(audit.out)["items"]}


async def test_sidecars_are_selected_by_labels_and_namespace(weft: Weft) -> None:
    def names(*arguments: str) -> list[str]:
        return weft("proxy", "status", "-o", "name", *arguments).out.split()

    assert await asyncio.to_thread(names, "-l", "version=v2") == ["reviews-1.shop"]
    assert await asyncio.to_thread(names, "-l", "version!=v2") == []
    assert await asyncio.to_thread(names, "-n", "shop") == ["reviews-1.shop"]
    assert await asyncio.to_thread(names, "-n", "other") == []
    wide = await asked(weft, "proxy", "status", "-o", "wide")
    assert "spiffe://cluster.local/ns/shop/sa/reviews" in wide.out


async def test_who_only_looks_changes_no_level(control_plane: Running, weft: Weft) -> None:
    made = await asked(weft, "auth", "token", "create", "--user", "viewer", "--group", "viewers")
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "viewers", "namespace": "shop"},
        "subjects": [{"kind": "Group", "name": "viewers"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    }
    file = control_plane.state.root / "viewers.json"
    file.write_text(json.dumps(binding))
    assert (await asked(weft, "apply", "-f", str(file))).code == 0
    token = control_plane.state.root / "viewer"
    token.write_text(made.out)
    looked = await asked(weft, "proxy", "log-level", "reviews-1", "--token-file", str(token))
    assert looked.code == 0, looked.err
    changed = await asked(weft, "proxy", "log-level", "reviews-1", "trace", "--token-file", str(token))
    assert changed.code == 5


async def test_a_sidecar_has_soon_what_it_was_sent(weft: Weft) -> None:
    def state() -> str:
        end = time.monotonic() + 10
        while (found := json.loads(weft("proxy", "status", "-o", "json").out)["items"][0])["state"] != "SYNCED":
            assert time.monotonic() < end, found
            time.sleep(0.2)
        return str(found["state"])

    assert await asyncio.to_thread(state) == "SYNCED"


async def test_the_routes_to_a_service_are_shown(weft: Weft) -> None:
    done = await asked(weft, "routes", "reviews", "-n", "shop", "-o", "json")
    assert done.code == 0, done.err
    answer = json.loads(done.out)
    assert answer["proxy"] == "reviews-1.shop"
    assert ("reviews.shop.svc.cluster.local", "9080") in {(one["host"], one["port"]) for one in answer["items"]}
    none = await asked(weft, "routes", "nobody", "-n", "shop")
    assert none.err == "reviews-1.shop has no routes to nobody in shop\n"


async def test_the_names_of_sidecars_are_completed(control_plane: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_STATE", str(control_plane.state.root))
    command = loaded(group.commands["proxy"])
    assert isinstance(command, click.Group)
    context = click.Context(command.commands["diff"])
    name = context.command.params[0]
    items = await asyncio.to_thread(proxies(), context, name, "rev")
    assert [one.value for one in items] == ["reviews-1.shop"]
    assert await asyncio.to_thread(proxies(), context, name, "web") == []
    context.params["server"] = "https://127.0.0.1:1"
    assert await asyncio.to_thread(proxies(), context, name, "rev") == []


async def test_a_report_has_what_a_sidecar_says(weft: Weft, tmp_path: Path) -> None:
    file = tmp_path / "report.tar.gz"
    done = await asked(weft, "bug-report", "--to", str(file), "--proxy", "reviews-1.shop")
    assert done.code == 0, done.err
    with tarfile.open(file) as archive:
        names = {one.name.removeprefix("report/") for one in archive.getmembers()}
    proxy = {
        name.removeprefix("proxies/reviews-1.shop/") for name in names if name.startswith("proxies/reviews-1.shop/")
    }
    assert proxy >= {"running.json", "about-stats.json", "about-server.json", "sidecar.log"}
