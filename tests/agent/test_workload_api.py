"""SPIFFE's Workload API, asked by a client that is not ours."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import TrailersReceived
from msgspec.structs import replace
from spiffe import SpiffeId, TrustDomain, WorkloadApiClient, X509Source
from spiffe.workloadapi.errors import FetchJwtSvidError, ValidateJwtSvidError

from weft.agent.credentials import Credentials, Issued
from weft.agent.grpc_frames import framed
from weft.agent.http import Answer, Unanswered
from weft.agent.keygen import new_key
from weft.agent.workload_api import WorkloadApi
from weft.ca.authority import Authority, open_authority
from weft.ca.jwt_keys import JwtKeys
from weft.ca.jwt_svid import BadToken, JwtAuthority
from weft.ca.spiffe_bundle import SpiffeBundle
from weft.kit.clock import SystemClock
from weft.kit.latest import Latest
from weft.kit.sealing import Keyring, SealingKey
from weft.kit.tasks import tasks
from weft.model.identity import Identity

REVIEWS = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")
RING = Keyring((SealingKey(b"k" * 32),))
pytestmark = pytest.mark.asyncio


class Desk:
    """The control plane as an agent's client meets it."""

    def __init__(self, directory: Path) -> None:
        clock = SystemClock()
        self.authority: Authority = open_authority(directory, trust_domain="cluster.local", clock=clock, keyring=RING)
        self.keys = JwtKeys(directory, RING, clock)
        self.jwt = JwtAuthority(self.keys, "cluster.local", clock)
        self.bundle = SpiffeBundle(directory, self.keys)
        self.away = False

    async def request(self, method: str, path: str, body: bytes = b"") -> Answer:
        if self.away:
            raise Unanswered("connection refused")
        try:
            return Answer(status=200, body=msgspec.json.encode(self._answer(path, body)))
        except BadToken as wrong:
            return Answer(status=400, body=msgspec.json.encode({"error": {"message": str(wrong)}}))

    def _answer(self, path: str, body: bytes) -> dict[str, Any]:
        match path:
            case "/v1/jwt-svid":
                asked = msgspec.json.decode(body)
                return {"svid": self.jwt.sign(REVIEWS, tuple(asked["audience"])).token}
            case "/v1/jwt-svid/validate":
                asked = msgspec.json.decode(body)
                found, claims = self.jwt.validate(asked["svid"], asked["audience"])
                return {"spiffe_id": found.uri, "claims": claims}
            case _:
                return {"keys": self.bundle.token_keys()}

    async def issued(self) -> Credentials:
        pair = await new_key()
        leaf = self.authority.sign(pair.csr.encode(), REVIEWS)
        issued = Issued(
            chain=leaf.chain,
            bundle=self.authority.bundle,
            trust_domain="cluster.local",
            xds_address="127.0.0.1:1",
            namespace="shop",
            service_account="reviews",
            expires=leaf.expires,
        )
        return Credentials(key=pair.key, issued=issued, since=time.time())


class World:
    def __init__(self, desk: Desk, latest: Latest[Credentials], socket: Path) -> None:
        self.desk = desk
        self.latest = latest
        self.socket = socket

    def client(self) -> WorkloadApiClient:
        return WorkloadApiClient(f"unix://{self.socket}")


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    desk, latest = Desk(tmp_path / "ca"), Latest[Credentials]()
    latest.set(await desk.issued())
    path = tmp_path / "spiffe.sock"
    async with tasks() as group:
        group.start(WorkloadApi(latest, lambda: desk, refresh_seconds=0.05).run(path), "api")  # type: ignore[arg-type, return-value]
        async with asyncio.timeout(10):
            while not path.exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield World(desk, latest, path)


async def elsewhere(work: Callable[[], Any]) -> Any:
    """The client blocks; the server is in this loop."""
    async with asyncio.timeout(20):
        return await asyncio.to_thread(work)


async def test_the_certificate_its_key_and_the_bundle_are_those_of_the_workload(world: World) -> None:
    def asked() -> Any:
        with world.client() as client:
            return client.fetch_x509_context()

    context = await elsewhere(asked)
    svid = context.default_svid
    assert svid.spiffe_id == SpiffeId(REVIEWS.uri)
    assert len(svid.cert_chain) == 2
    assert svid.private_key.public_key() == svid.leaf.public_key()
    bundle = context.x509_bundle_set.get_bundle_for_trust_domain(TrustDomain("cluster.local"))
    (root,) = bundle.x509_authorities
    svid.leaf.verify_directly_issued_by(svid.cert_chain[1])
    svid.cert_chain[1].verify_directly_issued_by(root)
    assert world.socket.stat().st_mode & 0o777 == 0o600


async def test_a_renewal_and_another_root_are_pushed(world: World) -> None:
    source = await elsewhere(lambda: X509Source(socket_path=f"unix://{world.socket}"))
    try:
        first = source.get_x509_context().default_svid.leaf.serial_number
        world.desk.authority.begin_rotation(eager=True)
        world.latest.set(await world.desk.issued())
        async with asyncio.timeout(10):
            while source.get_x509_context().default_svid.leaf.serial_number == first:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        bundle = source.get_bundle_for_trust_domain(TrustDomain("cluster.local"))
        assert bundle is not None
        assert len(bundle.x509_authorities) == 2
    finally:
        await elsewhere(source.close)


async def test_bundles_come_without_a_certificate_too(world: World) -> None:
    def asked() -> Any:
        with world.client() as client:
            return client.fetch_x509_bundles()

    bundles = await elsewhere(asked)
    assert len(bundles.get_bundle_for_trust_domain(TrustDomain("cluster.local")).x509_authorities) == 1


async def test_other_trust_domains_are_each_believed_by_their_own_bundle(world: World, tmp_path: Path) -> None:
    other = open_authority(tmp_path / "other", trust_domain="partner.example", clock=SystemClock(), keyring=RING)
    held, own = await world.desk.issued(), world.desk.authority.bundle

    def asked() -> Any:
        with world.client() as client:
            return client.fetch_x509_context().x509_bundle_set, client.fetch_x509_bundles()

    for bundles, expected in (
        ((("cluster.local", own + other.bundle), ("partner.example", other.bundle)), (2, 1)),
        ((("cluster.local", own), ("partner.example", other.bundle + own)), (1, 2)),
    ):
        world.latest.set(replace(held, issued=replace(held.issued, bundles=bundles)))
        for found in await elsewhere(asked):
            domains = TrustDomain("cluster.local"), TrustDomain("partner.example")
            roots = [found.get_bundle_for_trust_domain(domain).x509_authorities for domain in domains]
            assert tuple(map(len, roots)) == expected
    world.latest.set(held)
    for found in await elsewhere(asked):
        assert found.get_bundle_for_trust_domain(TrustDomain("partner.example")) is None


async def test_a_token_is_had_validated_and_verified_by_the_client_itself(world: World) -> None:
    def asked() -> Any:
        from spiffe import JwtSvid

        with world.client() as client:
            svid = client.fetch_jwt_svid(audience={"billing"})
            bundles = client.fetch_jwt_bundles()
            bundle = bundles.get_bundle_for_trust_domain(TrustDomain("cluster.local"))
            JwtSvid.parse_and_validate(svid.token, bundle, {"billing"})
            return svid, client.validate_jwt_svid(svid.token, "billing")

    svid, validated = await elsewhere(asked)
    assert svid.spiffe_id == validated.spiffe_id == SpiffeId(REVIEWS.uri)


async def test_tokens_of_others_and_for_others_are_refused(world: World) -> None:
    def asked() -> None:
        with world.client() as client:
            svid = client.fetch_jwt_svid(audience={"billing"})
            with pytest.raises(ValidateJwtSvidError, match="another audience"):
                client.validate_jwt_svid(svid.token, "orders")
            with pytest.raises(FetchJwtSvidError, match="the workload is"):
                client.fetch_jwt_svid(audience={"billing"}, subject=SpiffeId("spiffe://cluster.local/ns/shop/sa/web"))
            world.desk.away = True
            with pytest.raises(FetchJwtSvidError, match="does not answer"):
                client.fetch_jwt_svid(audience={"billing"})

    await elsewhere(asked)


async def test_new_token_keys_are_pushed(world: World, tmp_path: Path) -> None:
    seen: list[Any] = []
    client = world.client()
    watching = await elsewhere(lambda: client.stream_jwt_bundles(seen.append, lambda _: None))
    try:
        await until(lambda: len(seen) == 1)
        world.desk.away = True
        await asyncio.sleep(0.2)
        world.desk.bundle = SpiffeBundle(tmp_path, JwtKeys(tmp_path / "next", RING, SystemClock()))
        world.desk.away = False
        await until(lambda: len(seen) == 2)
        first, second = (one.get_bundle_for_trust_domain(TrustDomain("cluster.local")).jwt_authorities for one in seen)
        assert set(first).isdisjoint(second)
    finally:
        watching.cancel()
        await elsewhere(client.close)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def statuses(path: Path, *calls: tuple[str, dict[str, str], bytes]) -> list[dict[str, str]]:
    """The trailers of calls by a client without manners."""
    reader, writer = await asyncio.open_unix_connection(path)
    http = H2Connection(config=H2Configuration(client_side=True, header_encoding="utf-8"))
    http.initiate_connection()
    for number, (method, headers, body) in enumerate(calls):
        stream = 2 * number + 1
        fixed = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", method)]
        http.send_headers(stream, [*fixed, ("content-type", "application/grpc"), ("te", "trailers"), *headers.items()])
        http.send_data(stream, body, end_stream=True)
    writer.write(http.data_to_send())
    found: dict[int, dict[str, str]] = {}
    async with asyncio.timeout(10):
        while len(found) < len(calls):
            for event in http.receive_data(await reader.read(65536)):
                headers = dict(getattr(event, "headers", None) or ())
                if isinstance(event, TrailersReceived) or "grpc-status" in headers:
                    found[event.stream_id] = headers  # type: ignore[attr-defined]
    writer.close()
    return [found[2 * number + 1] for number in range(len(calls))]


async def test_without_its_header_nothing_is_told_and_other_methods_are_not_there(world: World) -> None:
    mark = {"workload.spiffe.io": "true"}
    bare, wrong, unknown, garbage, empty = await statuses(
        world.socket,
        ("/SpiffeWorkloadAPI/FetchX509SVID", {}, framed(b"")),
        ("/SpiffeWorkloadAPI/FetchJWTSVID", {"workload.spiffe.io": "false"}, framed(b"")),
        ("/SpiffeWorkloadAPI/Nothing", mark, framed(b"")),
        ("/SpiffeWorkloadAPI/FetchJWTSVID", mark, framed(b"\xff\xff")),
        ("/SpiffeWorkloadAPI/FetchX509SVID", mark, b""),
    )
    assert bare["grpc-status"] == wrong["grpc-status"] == "3"
    assert "workload.spiffe.io" in bare["grpc-message"]
    assert unknown["grpc-status"] == "12"
    assert garbage["grpc-status"] == empty["grpc-status"] == "3"
