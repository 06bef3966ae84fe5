"""What a whole control plane says in SPIFFE's words, and the Workload API that `weft run --spiffe` serves."""

import base64
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import httpx2
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.ca.fake_signer import METHOD, REQUEST, RESPONSE
from tests.cli.conftest import Running, Weft
from tests.cli.workload import Workload

REVIEWS = "spiffe://cluster.local/ns/shop/sa/reviews"
APPLICATION = """
import json, os, sys
from spiffe import WorkloadApiClient, JwtSvid, TrustDomain
with WorkloadApiClient() as client:
    context = client.fetch_x509_context()
    svid = client.fetch_jwt_svid(audience={"billing"})
    bundle = client.fetch_jwt_bundles().get_bundle_for_trust_domain(TrustDomain("cluster.local"))
    JwtSvid.parse_and_validate(svid.token, bundle, {"billing"})
    validated = client.validate_jwt_svid(svid.token, "billing")
json.dump({
    "id": str(context.default_svid.spiffe_id),
    "chain": len(context.default_svid.cert_chain),
    "token": str(validated.spiffe_id),
    "socket": os.environ["SPIFFE_ENDPOINT_SOCKET"],
}, open(sys.argv[1], "w"))
"""


def public(control_plane: Running, path: str) -> Any:
    """What somebody without a certificate is told."""
    context = ssl.create_default_context(cafile=str(control_plane.state.bundle))
    with httpx2.Client(verify=context, trust_env=False) as client:
        return client.get(control_plane.addresses.agents + path)


def workload(control_plane: Running, weft: Weft) -> Workload:
    made = Workload(control_plane)
    token = weft("token", "create", "-n", "shop", "--service-account", "reviews").out.strip()
    assert made.join(token=token) == 200
    return made


def test_the_bundle_is_public_and_verifies_what_workloads_are_given(control_plane: Running, weft: Weft) -> None:
    bundle = public(control_plane, "/v1/spiffe-bundle").json()
    (root,) = [key for key in bundle["keys"] if key["use"] == "x509-svid"]
    (token_key,) = [key for key in bundle["keys"] if key["use"] == "jwt-svid"]
    assert bundle["spiffe_sequence"] >= 1
    authority = x509.load_der_x509_certificate(base64.b64decode(root["x5c"][0]))
    assert authority == x509.load_pem_x509_certificate(control_plane.state.bundle.read_bytes())
    reviews = workload(control_plane, weft)
    made = reviews.call("POST", "/v1/jwt-svid", {"audience": ["billing"]}).json()
    claims = jwt.decode(made["svid"], jwt.PyJWK(token_key).key, algorithms=["ES256"], audience="billing")
    assert claims["sub"] == made["spiffe_id"] == REVIEWS
    seen = reviews.call("POST", "/v1/jwt-svid/validate", {"audience": "billing", "svid": made["svid"]})
    assert seen.json()["spiffe_id"] == REVIEWS
    assert "jwt-svid" in weft("audit", "--who", REVIEWS).out


def test_tokens_are_for_workloads_with_a_certificate_alone(control_plane: Running, weft: Weft) -> None:
    context = ssl.create_default_context(cafile=str(control_plane.state.bundle))
    with httpx2.Client(verify=context, trust_env=False) as client:
        for path in ("/v1/jwt-svid", "/v1/jwt-svid/validate"):
            refused = client.post(control_plane.addresses.agents + path, json={"audience": ["billing"]})
            assert refused.status_code == 401, path
    reviews = workload(control_plane, weft)
    for body in ({"audience": []}, {"audience": "billing"}, [], {"audience": ["x" * 70_000]}):
        assert reviews.call("POST", "/v1/jwt-svid", body).status_code == 400
    for body in ({"audience": "billing", "svid": "a.b.c"}, {"audience": "billing"}):
        assert reviews.call("POST", "/v1/jwt-svid/validate", body).status_code == 400


@pytest.mark.live
@pytest.mark.timeout(120)
def test_an_application_asks_the_workload_api_of_its_agent(control_plane: Running, weft: Weft, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(weft("token", "create", "-n", "shop", "--service", "reviews").out)
    told = tmp_path / "told.json"
    options = ["--service", "reviews", "--spiffe", "--token-file", str(token)]
    options += ["--join-url", control_plane.addresses.agents]
    done = subprocess.run(
        [sys.executable, "-m", "weft", "run", *options, "--", sys.executable, "-c", APPLICATION, str(told)],
        env=os.environ | {"WEFT_STATE": str(control_plane.state.root)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(told.read_text())
    assert (found["id"], found["token"], found["chain"]) == (REVIEWS, REVIEWS, 2)
    assert found["socket"].startswith("unix:///")


def test_a_client_of_istios_protocol_renews_with_its_certificate(control_plane: Running, weft: Weft) -> None:
    reviews = workload(control_plane, weft)
    issued = reviews.issued
    credentials = grpc.ssl_channel_credentials(issued["bundle"].encode(), reviews.key, issued["chain"].encode())
    with grpc.secure_channel(control_plane.addresses.xds, credentials) as channel:
        ask = channel.unary_unary(METHOD, REQUEST.SerializeToString, RESPONSE.FromString)
        chain = ask(REQUEST(csr=reviews.csr, validity_duration=60), timeout=10).cert_chain
        with pytest.raises(grpc.RpcError) as refused:
            ask(REQUEST(csr="nonsense"), timeout=10)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    leaf, intermediate, root = (x509.load_pem_x509_certificate(one.encode()) for one in chain)
    leaf.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(root)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == [REVIEWS]
    reviews.issued = issued | {"chain": "".join(chain[:2])}
    assert reviews.renew() == 200, "what was given this way is taken like any other"


def test_a_greedy_request_of_istios_protocol_gets_the_callers_own_name(control_plane: Running, weft: Weft) -> None:
    reviews = workload(control_plane, weft)
    issued, key = reviews.issued, ec.generate_private_key(ec.SECP256R1())
    victim = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("spiffe://cluster.local/ns/shop/sa/victim")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    csr = builder.add_extension(victim, critical=True).sign(key, hashes.SHA256())
    asked = REQUEST(csr=csr.public_bytes(serialization.Encoding.PEM).decode())
    asked.metadata.update({"ImpersonatedIdentity": "spiffe://cluster.local/ns/shop/sa/victim"})
    credentials = grpc.ssl_channel_credentials(issued["bundle"].encode(), reviews.key, issued["chain"].encode())
    with grpc.secure_channel(control_plane.addresses.xds, credentials) as channel:
        ask = channel.unary_unary(METHOD, REQUEST.SerializeToString, RESPONSE.FromString)
        leaf = x509.load_pem_x509_certificate(ask(asked, timeout=10).cert_chain[0].encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == [REVIEWS]
    nobody = grpc.ssl_channel_credentials(issued["bundle"].encode())
    with grpc.secure_channel(control_plane.addresses.xds, nobody) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(METHOD, REQUEST.SerializeToString, RESPONSE.FromString)(asked, timeout=5)
