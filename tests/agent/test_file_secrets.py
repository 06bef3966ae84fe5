"""Secrets that the agent makes of files on its host."""

from pathlib import Path

import pytest

from weft._pb.envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from weft.agent.credentials import Credentials, Issued
from weft.agent.file_secrets import secret_of_files
from weft.agent.sds import SecretStream


def test_a_certificate_is_made_of_a_chain_and_a_key(tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_bytes(b"chain")
    (tmp_path / "key.pem").write_bytes(b"key")
    secret = secret_of_files(f"file-cert:{tmp_path}/chain.pem~{tmp_path}/key.pem")
    assert secret is not None
    assert secret.tls_certificate.certificate_chain.inline_bytes == b"chain"
    assert secret.tls_certificate.private_key.inline_bytes == b"key"


def test_authorities_come_with_what_they_revoked(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"ca")
    (tmp_path / "crl.pem").write_bytes(b"crl")
    secret = secret_of_files(f"file-root:{tmp_path}/ca.pem~{tmp_path}/crl.pem")
    assert secret is not None
    assert secret.validation_context.trusted_ca.inline_bytes == b"ca"
    assert secret.validation_context.crl.inline_bytes == b"crl"


def test_the_hosts_own_authorities_are_those_of_openssl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.pem").write_bytes(b"own")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    secret = secret_of_files("file-root:system")
    assert secret is not None
    assert secret.validation_context.trusted_ca.inline_bytes == b"own"


@pytest.mark.parametrize("content", [None, b""])
def test_a_file_that_is_missing_or_empty_makes_no_secret(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)
    assert secret_of_files(f"file-root:{tmp_path}/ca.pem") is None


def test_a_stream_is_sent_a_file_once_it_is_there_and_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    stream, credentials = SecretStream(), _credentials()
    asked = DiscoveryRequest(resource_names=[f"file-root:{path}"]).SerializeToString()
    assert stream.receive(asked, credentials) is None
    path.write_bytes(b"one")
    assert _authorities(stream.offer(credentials)) == b"one"
    assert stream.offer(credentials) is None
    path.write_bytes(b"two")
    assert _authorities(stream.offer(credentials)) == b"two"


def _authorities(message: bytes | None) -> bytes:
    assert message is not None
    (resource,) = DiscoveryResponse.FromString(message).resources
    return Secret.FromString(resource.value).validation_context.trusted_ca.inline_bytes


def _credentials() -> Credentials:
    issued = Issued(
        chain="chain",
        bundle="bundle",
        trust_domain="cluster.local",
        xds_address="127.0.0.1:7071",
        namespace="shop",
        service_account="web",
        expires=0,
    )
    return Credentials(key="key", issued=issued, since=0)
