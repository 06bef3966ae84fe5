"""T2: a workload that was taken over wants what others have. Each is told what is its own, whatever it says it is."""

import base64

import grpc
import pytest

from tests.threats.plane import Member, Plane, kept
from weft.compiler.resource import CLUSTER, LISTENER, SECRET

pytestmark = pytest.mark.live
MARK = b"nobody-but-the-bank-knows-this"


def said(namespace: str, workload: str) -> dict[str, object]:
    return {"namespace": namespace, "workload": workload, "http_proxy": ["127.0.0.1", 15001]}


@pytest.fixture(scope="module")
def _bank(attacked: Plane) -> None:
    """A Secret of another namespace, and a service that is exported to nobody."""
    data = {"tls.key": base64.b64encode(MARK).decode(), "tls.crt": base64.b64encode(MARK).decode()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vault"}, "type": "Opaque", "data": data}
    assert attacked.ask("POST", "/api/v1/namespaces/bank/secrets", secret).status == 201
    private = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": "ledger"},
        "spec": {
            "hosts": [f"{MARK.decode()}.example.com"],
            "exportTo": ["."],
            "resolution": "STATIC",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "endpoints": [{"address": "127.0.0.9"}],
        },
    }
    answer = attacked.ask("POST", "/apis/networking.istio.io/v1/namespaces/bank/serviceentries", private)
    assert answer.status == 201, answer


@pytest.mark.parametrize(
    ("node_id", "namespace", "workload"),
    [
        ("vault-1.bank", "bank", "vault-1"),
        ("rogue-1.shop", "bank", "rogue-1"),
        ("rogue-1.bank", "shop", "rogue-1"),
        ("vault-1.bank", "shop", "rogue-1"),
        ("x.bank.shop", "shop", "x"),
        ("", "shop", ""),
        (".shop", "shop", ""),
        ("rogue-1.weft", "weft", "rogue-1"),
    ],
)
@pytest.mark.usefixtures("_bank")
def test_a_sidecar_cannot_say_that_it_is_another(
    node_id: str, namespace: str, workload: str, attacked: Plane, rogue: Member
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        attacked.discover(rogue, node_id, said(namespace, workload), CLUSTER, "*")
    assert refused.value.code() in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INVALID_ARGUMENT)


@pytest.mark.usefixtures("_bank")
def test_a_workload_of_another_account_is_not_introduced_as_ones_own(attacked: Plane, rogue: Member) -> None:
    vault = attacked.join("shop", "till")
    registration = {"service": "till", "address": "127.0.0.1", "ports": [{"port": 80, "bind_port": 15080}]}
    assert attacked.tell("PUT", "/v1/workloads/till-1", registration, vault).status == 200
    with pytest.raises(grpc.RpcError) as refused:
        attacked.discover(rogue, "till-1.shop", said("shop", "till-1"), CLUSTER, "*")
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


NAMES = (
    "kubernetes://vault",
    "kubernetes://bank/vault",
    "kubernetes-gateway://bank/vault",
    "kubernetes://vault-cacert",
    "kubernetes://../bank/vault",
    "default",
    "ROOTCA",
    "file-cert:/etc/shadow",
    "vault",
    "*",
)


@pytest.mark.usefixtures("_bank")
def test_no_name_of_a_secret_brings_one_of_another_namespace(attacked: Plane, rogue: Member) -> None:
    (answer,) = attacked.discover(rogue, "rogue-1.shop", said("shop", "rogue-1"), SECRET, *NAMES)
    assert answer.resources == []
    assert MARK not in answer.SerializeToString()


@pytest.mark.usefixtures("_bank")
@pytest.mark.parametrize("kind", [CLUSTER, LISTENER])
def test_what_is_exported_to_nobody_is_sent_to_nobody(kind: str, attacked: Plane, rogue: Member) -> None:
    (answer,) = attacked.discover(rogue, "rogue-1.shop", said("shop", "rogue-1"), kind, "*")
    assert answer.resources
    assert MARK not in answer.SerializeToString()


def test_without_a_certificate_of_the_mesh_there_is_no_stream(attacked: Plane, rogue: Member) -> None:
    from tests.threats.forged import forged_below, of_own_root

    uri = "spiffe://cluster.local/ns/bank/sa/vault"
    swapped = kept(rogue.file.parent / "swapped.pem", of_own_root(rogue, uri).key, rogue.chain)
    for member in (None, of_own_root(rogue, uri), forged_below(rogue, uri), swapped):
        with pytest.raises(grpc.RpcError) as refused:
            attacked.discover(member, "vault-1.bank", said("bank", "vault-1"), CLUSTER, "*")
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
