"""A whole control plane whose signer is somebody else's, and an agent that joins it."""

import asyncio
import random
from pathlib import Path

import grpc
import pytest
import trustme
from cryptography import x509

from tests.ca import fake_signer
from tests.ca.chains import is_believed
from tests.cli.conftest import run_weft, serving
from weft.agent.config import AgentConfig
from weft.agent.identity import IdentityKeeper
from weft.ca.choice import Choice, Istio
from weft.kit.clock import SystemClock
from weft.kit.files import private_directory

pytestmark = [pytest.mark.asyncio, pytest.mark.live]
REVIEWS = "spiffe://cluster.local/ns/shop/sa/reviews"
CLOCK = SystemClock()


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
