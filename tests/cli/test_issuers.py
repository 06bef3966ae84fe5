"""Issuers of the kinds `selfSigned`, `ca` and `vault` at a whole control plane, down to a gateway's Secret."""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509

from tests.ca.fake_vault import FakeVault, serving
from tests.cli.conftest import Running, Weft
from weft.issuing.schedule import Pace
from weft.kit.clock import SystemClock

DOCUMENTS = """
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: own, namespace: shop}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: root, namespace: shop}
spec: {secretName: root, isCA: true, commonName: root.example.com, duration: 8760h, issuerRef: {name: own}}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: ours, namespace: shop}
spec: {ca: {secretName: root}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: edge, namespace: shop}
spec: {secretName: edge, dnsNames: [shop.example.com], duration: 48h, issuerRef: {name: ours}}
"""


@pytest.fixture(scope="module", autouse=True)
def soon() -> Iterator[None]:
    """What waits for another Secret tries again at once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("weft.app.parts.Pace", lambda: Pace(first_pause=0.2, longest_pause=0.5, look=0.2))
        yield


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def secret(weft: Weft, name: str) -> dict[str, bytes]:
    found = weft("get", "secret", name, "-n", "shop", "-o", "json")
    if found.code != 0:
        return {}
    return {key: base64.b64decode(value) for key, value in parsed(found.out)["data"].items()}


def parsed(out: str) -> Any:
    """What a command printed; the control plane is in this process, and its log may come first."""
    return json.loads(out[out.index("{\n") :])


def test_an_authority_is_made_and_signs_for_a_gateway(control_plane: Running, weft: Weft) -> None:
    assert weft("apply", "-f", "-", stdin=DOCUMENTS).code == 0
    until(lambda: bool(secret(weft, "edge")))
    root, edge = secret(weft, "root"), secret(weft, "edge")
    assert edge["ca.crt"] == root["tls.crt"]
    (leaf,) = x509.load_pem_x509_certificates(edge["tls.crt"])
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(root["tls.crt"]))
    assert 47 * 3600 < (leaf.not_valid_after_utc - leaf.not_valid_before_utc).total_seconds() < 49 * 3600
    shown = weft("get", "certificates", "-n", "shop").out
    until(lambda: weft("get", "certificates", "-n", "shop").out.count("True") == 2)
    assert "edge" in shown
    issuers = parsed(weft("get", "issuers", "-n", "shop", "-o", "json").out)["items"]
    reasons = {one["metadata"]["name"]: one["status"]["conditions"][0]["reason"] for one in issuers}
    assert reasons == {"own": "KeyPairVerified", "ours": "KeyPairVerified"}


VAULT = """
apiVersion: v1
kind: Secret
metadata: {name: vault, namespace: shop}
stringData: {token: %s}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: vault, namespace: shop}
spec: {vault: {server: "%s", path: pki/sign/weft, caBundle: %s, auth: {tokenSecretRef: {name: vault, key: token}}}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: bank, namespace: shop}
spec: {secretName: bank, dnsNames: [bank.example.com, www.bank.example.com], duration: 24h, issuerRef: {name: vault}}
"""


@pytest.mark.asyncio
async def test_vault_signs_for_a_gateway_once_it_takes_the_token(
    control_plane: Running, weft: Weft, free_port: Callable[[], int], tmp_path: Path
) -> None:
    vault, authority = FakeVault(SystemClock()), trustme.CA()
    bundle = base64.b64encode(authority.cert_pem.bytes()).decode()
    (tmp_path / "vault.pem").write_bytes(authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes())
    async with serving(vault.app(), free_port(), tmp_path / "vault.pem") as address:

        def obtained() -> dict[str, bytes]:
            assert weft("apply", "-f", "-", stdin=VAULT % ("hvs.wrong", address, bundle)).code == 0
            until(lambda: "permission denied" in weft("get", "certificates", "-n", "shop", "-o", "json").out)
            assert weft("apply", "-f", "-", stdin=VAULT % (vault.token(), address, bundle)).code == 0
            until(lambda: bool(secret(weft, "bank")))
            return secret(weft, "bank")

        bank = await asyncio.to_thread(obtained)
    assert bank["ca.crt"].decode() == vault.root.pem
    leaf, between = x509.load_pem_x509_certificates(bank["tls.crt"])
    leaf.verify_directly_issued_by(between)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["bank.example.com", "www.bank.example.com"]
