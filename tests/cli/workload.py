"""A workload as a script: joins with a token, speaks to the agents' port, and introduces a sidecar as it likes."""

import json
import queue
import ssl
import tempfile
from pathlib import Path
from typing import Any

import grpc
import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.cli.conftest import Running
from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from weft.compiler.resource import CLUSTER

_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"


class Workload:
    """One key and its certificates."""

    def __init__(self, control_plane: Running) -> None:
        self._plane = control_plane
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.issued: dict[str, Any] = {}

    def moved(self, control_plane: Running) -> None:
        """Ask this one from now on: the same state was started again."""
        self._plane = control_plane

    @property
    def csr(self) -> str:
        """A request for a certificate."""
        asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(self._key, hashes.SHA256())
        return asked.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key(self) -> bytes:
        """The private key as PEM."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def join(self, **proof: Any) -> int:
        """Join, by ``token`` as a rule; the answer's status."""
        return self._keep(self._call("POST", "/v1/join", {"csr": self.csr} | proof, self._trust()))

    def renew(self, **more: Any) -> int:
        """Renew; the answer's status."""
        return self._keep(self.call("POST", "/v1/renew", {"csr": self.csr} | more))

    def register(self, name: str, service: str, **said: Any) -> httpx2.Response:
        """Register as an endpoint of a service."""
        body = {"service": service, "address": "127.0.0.1", "ports": [{"port": 9080, "bind_port": 21001}]}
        return self.call("PUT", f"/v1/workloads/{name}", body | said)

    def call(self, method: str, path: str, content: Any = None) -> httpx2.Response:
        """Ask the agents' port with the certificate."""
        return self._call(method, path, content, self._showing())

    def ask_api(self, path: str) -> httpx2.Response:
        """Ask the API with the certificate."""
        with httpx2.Client(verify=self._showing(), trust_env=False) as client:
            return client.get(f"{self._plane.addresses.api}{path}")

    def _showing(self) -> ssl.SSLContext:
        context = self._trust()
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(self.key + self.issued["chain"].encode())
            context.load_cert_chain(file.name)
        return context

    def introduce(self, name: str, labels: dict[str, str], **more: Any) -> "Stream":
        """A stream of a sidecar that says this of itself."""
        return Stream(self._plane.addresses.xds, self._channel_credentials(), name, labels, more)

    def _call(self, method: str, path: str, content: Any, context: ssl.SSLContext) -> httpx2.Response:
        with httpx2.Client(verify=context, trust_env=False) as client:
            return client.request(method, f"{self._plane.addresses.agents}{path}", json=content)

    def _keep(self, answer: httpx2.Response) -> int:
        if answer.status_code == 200:
            self.issued = answer.json()
        self.answer = answer
        return answer.status_code

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._plane.state.bundle)

    def _channel_credentials(self) -> Any:
        chain = self.issued["chain"].encode()
        return grpc.ssl_channel_credentials(self.issued["bundle"].encode(), self.key, chain)


class Stream:
    """One xDS stream, in a ``with`` block."""

    def __init__(self, address: str, credentials: Any, name: str, labels: dict[str, str], more: dict[str, Any]) -> None:
        self._channel = grpc.secure_channel(address, credentials)
        self._name = name
        said = {"namespace": "shop", "workload": name, "labels": list(labels.items())}
        said |= {"http_proxy": ["127.0.0.1", 15001]} | more
        self._metadata = {"weft": json.dumps(said)}
        self._namespace = said["namespace"]
        self._call: Any = None
        self._requests: queue.SimpleQueue[DiscoveryRequest | None] = queue.SimpleQueue()

    def __enter__(self) -> "Stream":
        open_stream = self._channel.stream_stream(
            _METHOD, DiscoveryRequest.SerializeToString, DiscoveryResponse.FromString
        )
        request = DiscoveryRequest(type_url=CLUSTER)
        request.node.id = f"{self._name}.{self._namespace}"
        request.node.metadata.update(self._metadata)
        self._requests.put(request)
        self._call = open_stream(iter(self._requests.get, None))
        return self

    def __exit__(self, *_: object) -> None:
        self._requests.put(None)
        self._channel.close()

    def clusters(self) -> set[str]:
        """The names of the clusters that come first. Raises ``grpc.RpcError`` when the stream is refused."""
        return {Cluster.FromString(one.value).name for one in next(self._call).resources}

    def refusal(self, seconds: float = 10.0) -> str:
        """Why the stream ended, which it must."""
        try:
            for _ in self._call:
                pass
        except grpc.RpcError as refused:
            return f"{refused.code().name}: {refused.details()}"
        return "ended"
