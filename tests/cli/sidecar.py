"""A sidecar as a script: joins with a token, opens one xDS stream over mutual TLS, accepts whatever comes."""

import json
import queue
import ssl
from typing import Any

import grpc
import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.cli.conftest import Running
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from weft.compiler.resource import CLUSTER, LISTENER, ROUTES

_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
_METADATA = {
    "namespace": "shop",
    "workload": "web-1",
    "labels": [["app", "web"]],
    "inlets": [],
    "outlets": [],
    "http_proxy": ["127.0.0.1", 15001],
}


class Sidecar:
    """In a ``with`` block: connected, and every type that it asked for acknowledged."""

    name = "web-1.shop"

    def __init__(self, control_plane: Running, token: str) -> None:
        self._control_plane = control_plane
        self._token = token
        self._requests: queue.SimpleQueue[DiscoveryRequest | None] = queue.SimpleQueue()

    def __enter__(self) -> "Sidecar":
        self._channel = grpc.secure_channel(self._control_plane.addresses.xds, self._credentials())
        self._stream = self._channel.stream_stream(
            _METHOD, DiscoveryRequest.SerializeToString, DiscoveryResponse.FromString
        )(iter(self._requests.get, None))
        for number, type_url in enumerate((CLUSTER, LISTENER, ROUTES)):
            self._requests.put(self._request(type_url, introduce=not number))
            self._accept()
        return self

    def __exit__(self, *_: object) -> None:
        self._requests.put(None)
        self._channel.close()

    def _request(self, type_url: str, *, introduce: bool) -> DiscoveryRequest:
        request = DiscoveryRequest(type_url=type_url)
        if type_url == ROUTES:
            request.resource_names.append("http_proxy")
        if introduce:
            request.node.id = self.name
            request.node.cluster = "web"
            request.node.metadata.update({"weft": json.dumps(_METADATA)})
        return request

    def _accept(self) -> None:
        answer = next(self._stream)
        accepted = DiscoveryRequest(
            type_url=answer.type_url, version_info=answer.version_info, response_nonce=answer.nonce
        )
        if answer.type_url == ROUTES:
            accepted.resource_names.append("http_proxy")
        self._requests.put(accepted)

    def _credentials(self) -> Any:
        key = ec.generate_private_key(ec.SECP256R1())
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
        pem = csr.public_bytes(serialization.Encoding.PEM).decode()
        trust = ssl.create_default_context(cafile=self._control_plane.state.bundle)
        url = f"{self._control_plane.addresses.agents}/v1/join"
        answer = httpx2.post(url, json={"token": self._token, "csr": pem}, verify=trust, trust_env=False)
        answer.raise_for_status()
        joined = answer.json()
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return grpc.ssl_channel_credentials(joined["bundle"].encode(), private, joined["chain"].encode())
