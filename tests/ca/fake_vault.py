"""A stand-in for Vault's PKI engine, which answers as OpenBao 2.7.2 was seen to: what it signs, and how it refuses.

A role is what ``vault write pki/roles/weft`` would make of the same parameters, defaults included: it takes names from
the parameters, or, with ``use_csr_sans``, from the request. A token has a life, and a longest one. A mount has issuers,
of which one signs.
"""

import asyncio
import datetime
import fnmatch
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.ca.chains import Maker
from weft.ca.certificates import names_extension
from weft.kit.clock import Clock
from weft.kit.tasks import tasks

DEFAULTS: dict[str, Any] = {
    "key_type": "rsa",
    "use_csr_sans": True,
    "require_cn": True,
    "allowed_uri_sans": [],
    "allow_any_name": False,
    "allowed_domains": [],
    "allow_ip_sans": True,
}
GOOD: dict[str, Any] = DEFAULTS | {
    "key_type": "any",
    "use_csr_sans": False,
    "require_cn": False,
    "allowed_uri_sans": ["spiffe://cluster.local/*"],
    "allow_any_name": True,
}
_KEYS = {"rsa": rsa.RSAPublicKey, "ec": ec.EllipticCurvePublicKey, "any": object}
_DENIED = "1 error occurred:\n\t* permission denied\n\n"
SECRET_ID, JWT = "s3cr3t-of-the-role", "ey.projected.token"


class FakeVault:
    """One mount ``pki`` with one role ``weft``; fields may be changed at any time.

    ``others`` are issuers beside the one that signs; ``issuers`` is false of a Vault before 1.11, which has one.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.root = Maker("vault root")
        self.signer = Maker("vault intermediate", self.root)
        self.role = dict(GOOD)
        self.others: list[Maker] = []
        self.revoked: list[Maker] = []
        self.issuers = True
        self.policies: tuple[str, ...] = ("default", "weft")
        self.namespace = ""
        self.sealed = False
        self.life, self.longest = 600.0, 1800.0
        self.tokens: dict[str, tuple[float, float]] = {}
        self.asked: list[str] = []
        self.liar: Maker | None = None

    def token(self) -> str:
        """A token that is good now."""
        made = "hvs." + secrets.token_urlsafe(24)
        now = self.clock.now()
        self.tokens[made] = (now + self.life, now + self.longest)
        return made

    def app(self) -> Starlette:
        """What it serves."""
        routes = [
            Route("/v1/pki/ca_chain", self._chain),
            Route("/v1/pki/issuers", self._list),
            Route("/v1/pki/issuer/{name}/json", self._issuer),
            Route("/v1/pki/sign/weft", self._sign, methods=["POST"]),
            Route("/v1/auth/token/lookup-self", self._lookup),
            Route("/v1/auth/token/renew-self", self._renew, methods=["POST"]),
            Route("/v1/auth/approle/login", self._login, methods=["POST"]),
            Route("/v1/auth/kubernetes/login", self._login, methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={404: self._nothing})

    async def _nothing(self, request: Request, _: Exception) -> Response:
        """What is at no mount asks for a token, as if it were there."""
        return _errors(403, "permission denied")

    def _refused(self, request: Request, *, public: bool = False) -> Response | None:
        self.asked.append(request.url.path)
        if self.sealed:
            return _errors(503, "Vault is sealed")
        if request.headers.get("x-vault-namespace", "") != self.namespace:
            return _errors(403, "permission denied")
        expires, _ = self.tokens.get(request.headers.get("x-vault-token", ""), (0.0, 0.0))
        if public:
            return None
        if expires <= self.clock.now():
            return _errors(403, "permission denied")
        needed = "default" if request.url.path.startswith("/v1/auth/token/") else "weft"
        return None if needed in self.policies else _errors(403, _DENIED)

    def _known(self) -> dict[str, Maker]:
        return {f"issuer-{at}": one for at, one in enumerate((self.root, self.signer, *self.others))}

    async def _list(self, request: Request) -> Response:
        if refused := self._refused(request, public=True):
            return refused
        if not self.issuers or request.query_params.get("list") != "true":
            return _errors(404, "unsupported path")
        return JSONResponse({"data": {"keys": list(self._known())}})

    async def _issuer(self, request: Request) -> Response:
        if refused := self._refused(request, public=True):
            return refused
        one = self._known()[request.path_params["name"]]
        data = {"certificate": one.pem, "ca_chain": [one.pem]} | ({"revoked": True} if one in self.revoked else {})
        return JSONResponse({"data": data})

    async def _chain(self, request: Request) -> Response:
        if refused := self._refused(request, public=True):
            return refused
        return Response(self.signer.pem + self.root.pem, media_type="application/pem-certificate-chain")

    async def _sign(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        csr = x509.load_pem_x509_csr(body["csr"].encode())
        if not isinstance(csr.public_key(), _KEYS[self.role["key_type"]]):
            return _errors(400, f"role requires keys of type {self.role['key_type']}")
        names = self._names(csr, body)
        if isinstance(names, str):
            return _errors(400, names)
        signer = self.liar or self.signer
        leaf = self._leaf(csr.public_key(), names, float(body["ttl"].removesuffix("s")), signer)
        chain = [self.signer.pem, self.root.pem]
        return JSONResponse({"data": {"certificate": leaf, "issuing_ca": self.signer.pem, "ca_chain": chain}})

    def _names(self, csr: x509.CertificateSigningRequest, body: dict[str, Any]) -> x509.SubjectAlternativeName | str:
        """Who the certificate is for, or why it is not made."""
        role = self.role
        if role["use_csr_sans"]:
            try:
                return csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            except x509.ExtensionNotFound:
                missing = "the common_name field is required, or must be provided in a CSR"
                return missing if role["require_cn"] else x509.SubjectAlternativeName([])
        asked = (body.get("common_name", ""), *body["alt_names"].split(","))
        hosts = [one for one in asked if one]
        for host in hosts:
            if host != "localhost" and not role["allow_any_name"] and host not in role["allowed_domains"]:
                return f"subject alternate name {host} not allowed by this role"
        if "uri_sans" not in body:
            return x509.SubjectAlternativeName([x509.DNSName(one) for one in hosts])
        if role["require_cn"]:
            return "the common_name field is required, or must be provided in a CSR"
        if not role["allowed_uri_sans"]:
            return "URI Subject Alternative Names are not allowed in this role, but were provided via the API"
        if not any(fnmatch.fnmatch(body["uri_sans"], one) for one in role["allowed_uri_sans"]):
            return "URI Subject Alternative Names were provided via the API which are not valid for this role"
        return names_extension(body["uri_sans"], tuple(one for one in (*hosts, *body["ip_sans"].split(",")) if one))

    def _leaf(self, key: Any, names: x509.SubjectAlternativeName, ttl: float, signer: Maker) -> str:
        now = datetime.datetime.fromtimestamp(int(self.clock.now()), datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(signer.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(seconds=30))
            .not_valid_after(now + datetime.timedelta(seconds=ttl))
            .add_extension(names, critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False)
            .add_extension(x509.ExtendedKeyUsage([x509.OID_SERVER_AUTH, x509.OID_CLIENT_AUTH]), critical=False)
        )
        return builder.sign(signer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    async def _lookup(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        expires, _ = self.tokens[request.headers["x-vault-token"]]
        ttl = int(expires - self.clock.now())
        return JSONResponse({"data": {"ttl": ttl, "creation_ttl": int(self.life), "renewable": True}})

    async def _renew(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        token = request.headers["x-vault-token"]
        _, longest = self.tokens[token]
        self.tokens[token] = (min(self.clock.now() + self.life, longest), longest)
        return self._auth(token)

    async def _login(self, request: Request) -> Response:
        if refused := self._refused(request, public=True):
            return refused
        good = ({"role_id": "weft", "secret_id": SECRET_ID}, {"role": "weft", "jwt": JWT})
        if await request.json() not in good:
            return _errors(400, "invalid role or secret ID")
        return self._auth(self.token())

    def _auth(self, token: str) -> Response:
        lease = int(self.tokens[token][0] - self.clock.now())
        return JSONResponse({"auth": {"client_token": token, "lease_duration": lease, "renewable": True}})


def _errors(status: int, text: str) -> Response:
    return JSONResponse({"errors": [text]}, status)


@asynccontextmanager
async def serving(app: Starlette, port: int, certificate: Path | None = None) -> AsyncIterator[str]:
    """The application on loopback, by TLS with a PEM of key and chain; yields its address."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_config=None, lifespan="off", ssl_certfile=certificate, access_log=False
    )
    server = uvicorn.Server(config)
    async with tasks() as group:
        running = group.start(server._serve(), "fake")
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
        server.should_exit = True
        await running
