"""A control plane in a process of its own, as attackers meet it: its three ports, its memory, and what it logs."""

import contextlib
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from msgspec.structs import replace

from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from weft.kit.value import Value

AGGREGATED = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
_START_SECONDS = 30.0
Pem = bytes


class Answer(Value):
    """What came back; status 0: the connection was closed, as ``error`` says. ``busy`` are the seconds of CPU that the
    control plane used until then: those of the clock would be the machine's, which others use, too."""

    status: int
    body: bytes = b""
    busy: float = 0.0
    error: str = ""

    def json(self) -> Any:
        return json.loads(self.body)


class Member(Value):
    """Somebody with a certificate: PEMs, and a file of both."""

    key: Pem
    chain: Pem
    file: Path


class Plane:
    """The control plane. ``api``, ``agents`` and ``xds`` are its ports on 127.0.0.1."""

    def __init__(self, state: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
        ports = json.loads((state / "ports.json").read_text())
        self.state = state
        self.process = process
        self.api = urlsplit(ports["api"]).port or 0
        self.agents = urlsplit(ports["agents"]).port or 0
        self.xds = int(ports["xds"].rpartition(":")[2])
        self.bundle: Pem = (state / "ca" / "root.pem").read_bytes()
        self.admin = (state / "admin.token").read_text().strip()
        self._log = log

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")

    @property
    def busy(self) -> float:
        """The seconds of CPU that it has used."""
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)

    @property
    def memory(self) -> int:
        """Its resident memory in bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def trusting(self, member: Member | None = None) -> ssl.SSLContext:
        """A client's TLS context, with a certificate or without one."""
        context = ssl.create_default_context(cadata=self.bundle.decode())
        if member is not None:
            context.load_cert_chain(member.file)
        return context

    def ask(self, method: str, path: str, body: Any = None, token: str | None = "", **headers: str) -> Answer:
        """A request to the API, as the administrator (""), as nobody (``None``) or with a token."""
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token or self.admin}"
        return self._asked(self.api, self.trusting(), method, path, body, sent)

    def tell(self, method: str, path: str, body: Any = None, member: Member | None = None, **headers: str) -> Answer:
        """A request to the agents' port."""
        return self._asked(self.agents, self.trusting(member), method, path, body, headers)

    def _asked(self, *request: Any) -> Answer:
        before = self.busy
        return replace(_asked(*request), busy=self.busy - before)

    def join_token(self, namespace: str, account: str) -> str:
        """A join token, created by the administrator."""
        answer = self.ask("POST", "/weft/v1/tokens", {"namespace": namespace, "serviceAccount": account})
        assert answer.status == 200, answer
        return str(answer.json()["token"])

    def join(self, namespace: str, account: str) -> Member:
        """A new member of the mesh."""
        key = ec.generate_private_key(ec.SECP256R1())
        token = self.join_token(namespace, account)
        answer = self.tell("POST", "/v1/join", {"token": token, "csr": csr_of(key).decode()})
        assert answer.status == 200, answer
        chain = answer.json()["chain"].encode()
        return kept(self.state.parent / f"{namespace}-{account}-{time.monotonic_ns()}.pem", pem_of(key), chain)

    @contextlib.contextmanager
    def channel(self, member: Member | None) -> Iterator[grpc.Channel]:
        """A connection to the xDS port."""
        key, chain = (member.key, member.chain) if member else (None, None)
        credentials = grpc.ssl_channel_credentials(self.bundle, key, chain)
        target = [("grpc.ssl_target_name_override", "localhost"), ("grpc.max_receive_message_length", -1)]
        with grpc.secure_channel(f"127.0.0.1:{self.xds}", credentials, target) as channel:
            yield channel

    def discover(
        self, member: Member | None, node_id: str, said: dict[str, Any], type_url: str, *names: str
    ) -> list[DeltaDiscoveryResponse]:
        """What the first answer to a question for resources is. Raises ``grpc.RpcError``."""
        request = DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=names)
        request.node.id = node_id
        request.node.metadata["weft"] = json.dumps(said)
        with self.channel(member) as channel:
            stream = channel.stream_stream(
                AGGREGATED, DeltaDiscoveryRequest.SerializeToString, DeltaDiscoveryResponse.FromString
            )
            answers = stream(iter([request]), timeout=10)
            with contextlib.closing(_cancelled(answers)):
                return [next(answers)]

    def well(self) -> None:
        """Fail unless it lives, answers and has logged no exception."""
        assert self.process.poll() is None, self.log
        assert self.ask("GET", "/readyz", token=None).status == 200
        assert "Traceback" not in self.log, self.log


class _cancelled:  # noqa: N801  reads as a function
    def __init__(self, call: Any) -> None:
        self._call = call

    def close(self) -> None:
        self._call.cancel()


def _asked(port: int, tls: ssl.SSLContext, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=tls)
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            connection.request(method, path, content, headers)
        answer = connection.getresponse()
        return Answer(status=answer.status, body=answer.read())
    except (ConnectionError, ssl.SSLError, http.client.HTTPException) as ended:
        return Answer(status=0, error=repr(ended))
    finally:
        connection.close()


@contextlib.contextmanager
def plane(home: Path, *options: str) -> Iterator[Plane]:
    """A control plane until the block ends."""
    state, log = home / "state", home / "log"
    command = [sys.executable, "-m", "weft", "up", "--api-port=0", "--xds-port=0", "--agent-port=0"]
    environment = {**os.environ, "WEFT_STATE": str(state)}
    with log.open("wb") as output:
        process = subprocess.Popen([*command, *options], stdout=output, stderr=output, env=environment)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while "weft is ready" not in log.read_text(errors="replace"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield Plane(state, process, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def csr_of(key: Any, *extensions: x509.ExtensionType, subject: x509.Name | None = None) -> Pem:
    """A certificate request."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject or x509.Name([]))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(serialization.Encoding.PEM)


def pem_of(key: Any) -> Pem:
    """A private key."""
    return bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def kept(file: Path, key: Pem, chain: Pem) -> Member:
    """A member whose key and chain lie in a file, as ``ssl`` wants them."""
    file.write_bytes(key + chain)
    return Member(key=key, chain=chain, file=file)


def names_of(chain: str) -> list[str]:
    """Every alternative name of a certificate."""
    certificate = x509.load_pem_x509_certificate(chain.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]
