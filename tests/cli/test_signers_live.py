"""A whole control plane whose signer is somebody else's, and an agent that joins it."""

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from cryptography import x509

from tests.ca import fake_signer
from tests.ca.chains import Maker, is_believed, write_cacerts
from tests.cli.conftest import run_weft, serving
from tests.cli.workload import Workload
from weft.agent.config import AgentConfig
from weft.agent.identity import IdentityKeeper
from weft.ca.choice import Choice, Files, Istio
from weft.kit.clock import SystemClock
from weft.kit.files import private_directory

pytestmark = pytest.mark.live
REVIEWS = "spiffe://cluster.local/ns/shop/sa/reviews"
CLOCK = SystemClock()


@pytest.mark.asyncio
async def test_an_agent_joins_a_mesh_whose_signer_reads_names_and_keeps_its_token_while_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEFT_STATE", str(tmp_path / "state"))
    tls = trustme.CA()
    tls.cert_pem.write_to_path(tmp_path / "tls.pem")
    shown = tls.issue_cert("127.0.0.1")
    fake = fake_signer.FakeSigner(CLOCK)
    (tmp_path / "root.pem").write_text(fake.root.pem)
    (tmp_path / "token").write_text(fake_signer.TOKEN)
    chain = b"".join(one.bytes() for one in shown.cert_chain_pems)
    async with fake_signer.serving(fake, shown.private_key_pem.bytes(), chain) as address:
        chosen = Istio(
            address=address,
            roots=str(tmp_path / "root.pem"),
            ca_file=str(tmp_path / "tls.pem"),
            token_file=str(tmp_path / "token"),
        )
        started = serving(tmp_path / "state", signer=Choice(istio=chosen))
        running = await asyncio.to_thread(started.__enter__)
        try:
            made = await asyncio.to_thread(run_weft, "token", "create", "-n", "shop", "--service", "reviews")
            (tmp_path / "join").write_text(made.out)
            config = AgentConfig(
                service="reviews",
                name="reviews-1",
                command=("true",),
                state_dir=tmp_path / "agent",
                token_file=tmp_path / "join",
                join_url=running.addresses.agents,
                ca_file=running.state.bundle,
            )
            keeper = IdentityKeeper(config, private_directory(tmp_path / "agent"), CLOCK, random.Random(1))
            fake.fails = grpc.StatusCode.UNAVAILABLE
            joining = asyncio.get_running_loop().create_task(keeper.obtain())
            await _asked(fake, len(fake.seen) + 1)
            fake.fails = None
            async with asyncio.timeout(30):
                await joining
            issued = keeper.current.issued
            assert keeper.current.identity.uri == REVIEWS
            assert issued.bundle == fake.root.pem
            assert is_believed(issued.chain, fake.root.pem, CLOCK.now())
            names = x509.load_pem_x509_certificate(issued.chain.encode()).extensions.get_extension_for_class(
                x509.SubjectAlternativeName
            )
            assert [name.value for name in names.value] == [REVIEWS]
            before = len(fake.seen)
            renewed = await keeper._again()
            assert renewed.issued.chain != issued.chain
            assert len(fake.seen) == before + 1, "an agent that was told once names itself from then on"
            status = await asyncio.to_thread(run_weft, "ca", "status")
            assert "the signer is istio" in status.out
        finally:
            await asyncio.to_thread(started.__exit__, None, None, None)


async def _asked(fake: fake_signer.FakeSigner, times: int) -> None:
    async with asyncio.timeout(20):
        while len(fake.seen) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def test_a_root_in_files_is_replaced_while_workloads_renew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/certificate-authority.md says: both are believed, then the other one signs, then the old one goes."""
    monkeypatch.setenv("WEFT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("weft.ca.upkeep._LOOK_SECONDS", 0.2)
    old, new = Maker("old", days=36500), Maker("new", days=36500)
    directory = write_cacerts(tmp_path / "cacerts", Maker("a", old, days=36500), (old,))
    with serving(tmp_path / "state", signer=Choice(files=Files(directory=str(directory)))) as running:
        workload = Workload(running)
        token = run_weft("token", "create", "-n", "shop", "--service", "reviews").out.strip()
        assert workload.join(token=token) == 200
        for signer, roots in ((Maker("a", old, days=36500), (old, new)), (Maker("b", new, days=36500), (old, new))):
            before = workload.issued
            write_cacerts(directory, signer, roots)
            wanted = "".join(root.pem for root in roots)
            _until(lambda held=before: _held(workload, held)["authority"] != held["authority"])  # type: ignore[misc]
            assert "waiting for 1 to renew: reviews-1.shop" in run_weft("ca", "status").out
            assert workload.renew() == 200, "what was signed before is still believed"
            assert workload.issued["bundle"] == wanted == running.state.bundle.read_text()
            root = old if signer.certificate.issuer == old.certificate.subject else new
            assert is_believed(workload.issued["chain"], root.pem, CLOCK.now())
        stale = workload.issued
        write_cacerts(directory, Maker("b", new, days=36500), (new,))
        _until(lambda: running.state.bundle.read_text() == new.pem)
        assert workload.renew() == 200
        assert workload.issued["bundle"] == new.pem != stale["bundle"]


def _held(workload: Workload, issued: dict[str, Any]) -> Any:
    return workload.call("PUT", "/v1/authority", {"name": "reviews-1", "authority": issued["authority"]}).json()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
