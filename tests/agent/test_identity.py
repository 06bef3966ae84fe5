"""Trust, keys and SDS: no trust on first use, and new certificates pushed to whoever asked."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest

from weft._pb.envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from weft.agent.config import AgentConfig
from weft.agent.credentials import Credentials, Issued, load, save
from weft.agent.keygen import new_key
from weft.agent.sds import TYPE, SecretStream
from weft.agent.sds_server import SdsServer
from weft.agent.trust import accepts, check_trust, door_of, matching
from weft.ca.authority import open_authority
from weft.ca.csr import key_of
from weft.kit.clock import SystemClock
from weft.kit.errors import PeerError, UserError
from weft.kit.latest import Latest
from weft.kit.tasks import tasks

METHOD = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets"


def credentials_of(number: int, bundle: str = "root") -> Credentials:
    issued = Issued(
        chain=f"chain {number}",
        bundle=bundle,
        trust_domain="cluster.local",
        xds_address="127.0.0.1:7071",
        namespace="shop",
        service_account="reviews",
        expires=2000.0,
    )
    return Credentials(key=f"key {number}", issued=issued, since=1000.0)


def request_of(*names: str, nonce: str = "", error: str = "") -> bytes:
    request = DiscoveryRequest(type_url=TYPE, resource_names=names, response_nonce=nonce)
    if error:
        request.error_detail.message = error
    return request.SerializeToString()


def secrets_in(message: bytes | None) -> dict[str, Secret]:
    assert message is not None
    response = DiscoveryResponse.FromString(message)
    return {secret.name: secret for secret in (Secret.FromString(any_.value) for any_ in response.resources)}


def test_an_agent_that_was_not_told_whom_to_trust_does_not_start(tmp_path: Path) -> None:
    config = AgentConfig(service="reviews", name="r", command=("true",), state_dir=tmp_path)
    with pytest.raises(UserError, match="--ca-file or --ca-fingerprint"):
        check_trust(config)


def test_only_the_certificate_with_the_fingerprint_is_believed(tmp_path: Path) -> None:
    ours = open_authority(tmp_path / "a", trust_domain="cluster.local", clock=SystemClock())
    theirs = open_authority(tmp_path / "b", trust_domain="cluster.local", clock=SystemClock())
    assert matching(theirs.bundle + ours.bundle, ours.fingerprint) == ours.bundle
    assert matching(ours.bundle, "SHA256:" + ours.fingerprint.upper()) == ours.bundle
    with pytest.raises(UserError, match="not the one"):
        matching(theirs.bundle, ours.fingerprint)
    assert accepts(ours.bundle, theirs.bundle + ours.bundle)
    assert not accepts(ours.bundle, theirs.bundle)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:7072", "127.0.0.1:7072", "https://", "https://x:99999", "https://u@x"]
)
def test_only_https_urls_are_doors(url: str) -> None:
    with pytest.raises(UserError):
        door_of(url)


@pytest.mark.asyncio
async def test_a_key_is_made_elsewhere_and_proves_itself() -> None:
    pair = await new_key()
    assert "PRIVATE KEY" in pair.key
    assert key_of(pair.csr.encode()).curve.name == "secp256r1"  # type: ignore[union-attr]


def test_credentials_are_kept_privately_until_they_end(tmp_path: Path) -> None:
    kept = credentials_of(1)
    save(kept, tmp_path)
    assert (tmp_path / "identity.json").stat().st_mode & 0o777 == 0o600
    assert load(tmp_path, now=1999.0) == kept
    assert load(tmp_path, now=2000.0) is None
    (tmp_path / "identity.json").write_text("half")
    assert load(tmp_path, now=0.0) is None


def test_a_stream_is_answered_once_until_something_changes() -> None:
    stream = SecretStream()
    first = secrets_in(stream.receive(request_of("default", "ROOTCA"), credentials_of(1)))
    assert first["default"].tls_certificate.private_key.inline_string == "key 1"
    assert first["ROOTCA"].validation_context.trusted_ca.inline_string == "root"
    assert stream.receive(request_of("default", "ROOTCA", nonce="1"), credentials_of(1)) is None
    assert stream.offer(credentials_of(1)) is None
    assert secrets_in(stream.offer(credentials_of(2)))["default"].tls_certificate.private_key.inline_string == "key 2"


def test_a_stale_or_refusing_request_gets_nothing_again(capsys: pytest.CaptureFixture[str]) -> None:
    stream = SecretStream()
    stream.receive(request_of("default"), credentials_of(1))
    stream.offer(credentials_of(2))
    assert stream.receive(request_of("default", nonce="1"), credentials_of(2)) is None
    assert stream.receive(request_of("default", nonce="2", error="bad chain"), credentials_of(2)) is None
    assert "envoy refused a certificate: bad chain" in capsys.readouterr().err


def test_the_roots_alone_do_not_change_with_the_certificate() -> None:
    stream = SecretStream()
    assert set(secrets_in(stream.receive(request_of("ROOTCA", "kubernetes://x"), credentials_of(1)))) == {"ROOTCA"}
    assert stream.offer(credentials_of(2)) is None
    assert stream.offer(credentials_of(2, bundle="new root")) is not None


def test_garbage_and_other_types_end_the_stream() -> None:
    with pytest.raises(PeerError):
        SecretStream().receive(b"\xff\xff", credentials_of(1))
    with pytest.raises(PeerError):
        SecretStream().receive(DiscoveryRequest(type_url="other").SerializeToString(), credentials_of(1))


@pytest.mark.asyncio
async def test_a_grpc_client_gets_large_secrets_and_their_successors(tmp_path: Path) -> None:
    latest: Latest[Credentials] = Latest()
    path = tmp_path / "sds.sock"
    large = "root" * 50_000
    async with tasks() as group, grpc.aio.insecure_channel(f"unix:{path}") as channel:
        group.start(SdsServer(latest).run(path), "sds")

        async def requests() -> AsyncIterator[bytes]:
            yield request_of("default", "ROOTCA")
            await asyncio.sleep(60)

        call = channel.stream_stream(METHOD)(requests(), timeout=20, wait_for_ready=True)
        await asyncio.sleep(0.2)
        assert path.stat().st_mode & 0o777 == 0o600
        latest.set(credentials_of(1, bundle=large))
        first = secrets_in(await call.read())
        assert first["ROOTCA"].validation_context.trusted_ca.inline_string == large
        latest.set(credentials_of(2, bundle=large))
        assert secrets_in(await call.read())["default"].tls_certificate.private_key.inline_string == "key 2"
        call.cancel()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary("/other/Method")(b"", timeout=20)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert refused.value.details() == "there is no method /other/Method"
