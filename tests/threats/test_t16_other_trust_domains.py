"""T16: somebody of another trust domain, or of a root that is trusted no more, wants in. None gets in."""

import socket
import ssl
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.threats.forged import forged_below, of_own_root
from tests.threats.plane import Member, Plane, csr_of, kept, pem_of
from weft.ca.authority import open_authority
from weft.compiler.resource import CLUSTER
from weft.compiler.tls import Spoken, downstream_tls, upstream_tls
from weft.kit.clock import SystemClock
from weft.kit.state_dir import StateDir
from weft.model.identity import Identity
from weft.store.keys import find_keys, key_source
from weft.view.view import MeshTls

pytestmark = pytest.mark.live
SAID = {"namespace": "shop", "workload": "guest-1", "http_proxy": ["127.0.0.1", 15001]}


@pytest.fixture(scope="module")
def guest(attacked: Plane) -> Member:
    """Somebody of another trust domain, with a certificate that this mesh's own authority has signed by mistake."""
    state = StateDir(root=attacked.state)
    ring = find_keys(key_source(state.encryption_key, None, {})).ring
    authority = open_authority(state.authority, trust_domain="cluster.local", clock=SystemClock(), keyring=ring)
    key = ec.generate_private_key(ec.SECP256R1())
    other = Identity(trust_domain="other.example", namespace="shop", account="guest")
    chain = authority.sign(csr_of(key), other).chain.encode()
    return kept(attacked.state.parent / "guest.pem", pem_of(key), chain)


def test_a_certificate_of_another_trust_domain_renews_and_registers_nothing(attacked: Plane, guest: Member) -> None:
    csr = csr_of(ec.generate_private_key(ec.SECP256R1())).decode()
    assert attacked.tell("POST", "/v1/renew", {"csr": csr}, guest).status == 401
    registration = {"service": "guest", "address": "127.0.0.1", "ports": [{"port": 80, "bind_port": 15080}]}
    assert attacked.tell("PUT", "/v1/workloads/guest-1", registration, guest).status in (401, 403)
    assert attacked.tell("PUT", "/v1/authority", {"name": "guest-1", "authority": "x"}, guest).status == 401


def test_a_certificate_of_another_trust_domain_gets_no_configuration(attacked: Plane, guest: Member) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        attacked.discover(guest, "guest-1.shop", SAID, CLUSTER, "*")
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_a_root_of_the_same_name_is_not_the_same_root(attacked: Plane, rogue: Member) -> None:
    name = x509.load_pem_x509_certificate(attacked.bundle).subject
    uri = "spiffe://cluster.local/ns/shop/sa/rogue"
    for forged in (of_own_root(rogue, uri, issuer=name), of_own_root(rogue, uri), forged_below(rogue, uri)):
        assert attacked.tell("GET", "/v1/bundle", None, forged).status == 0


@pytest.mark.parametrize(
    "uris",
    [
        ("spiffe://cluster.local/ns/shop/sa/rogue", "spiffe://cluster.local/ns/bank/sa/vault"),
        ("spiffe://cluster.local/ns/shop/sa/rogue/x",),
        ("spiffe://cluster.local/ns/shop/sa/..",),
        ("spiffe://cluster.local:1/ns/shop/sa/rogue",),
        ("spiffe://u@cluster.local/ns/shop/sa/rogue",),
        ("SPIFFE://cluster.local/ns/shop/sa/rogue",),
        ("spiffe://cluster.local/ns/shop/sa/r%6Fgue",),
        ("spiffe://cluster.local/ns/shop/sa/rogue?x",),
        ("https://cluster.local/ns/shop/sa/rogue",),
        (),
    ],
)
def test_what_is_not_one_name_of_a_workload_is_nobody(uris: tuple[str, ...]) -> None:
    from weft.ca.peer import peer_of
    from weft.xds.introduction import Unauthenticated, identity_of

    assert peer_of({"subjectAltName": tuple(("URI", uri) for uri in uris)}) is None
    with pytest.raises(Unauthenticated):
        identity_of({"peer_uri": [uri.encode() for uri in uris]})


@pytest.mark.parametrize("door", ["agents", "api"])
def test_no_session_is_taken_up_again_without_its_certificate(door: str, attacked: Plane, rogue: Member) -> None:
    """What was resumed would skip the look at a root that was replaced meanwhile."""
    context = attacked.trusting(rogue if door == "agents" else None)
    port = attacked.agents if door == "agents" else attacked.api
    first = _session(port, context, None)
    if first is not None:
        assert door == "api"
        return
    assert _reused(port, context, first) is False


def _session(port: int, context: ssl.SSLContext, session: Any) -> Any:
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as tls,
    ):
        tls.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        tls.recv(1000)
        return tls.session if tls.session and tls.session.has_ticket else None


def _reused(port: int, context: ssl.SSLContext, session: Any) -> bool:
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as tls,
    ):
        return bool(tls.session_reused)


def test_every_proxy_asks_for_names_of_its_trust_domain_alone() -> None:
    """With the slash after it: what begins alike is another domain."""
    server = downstream_tls("cluster.local", http=True).typed_config.value
    client = upstream_tls(MeshTls(identities=(), sni="x"), Spoken.HTTP2, "cluster.local").typed_config.value
    for context in (server, client):
        assert b"spiffe://cluster.local/" in context
        assert b"ROOTCA" in context
