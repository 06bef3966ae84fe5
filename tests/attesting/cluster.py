"""What is outside of a mesh, over TLS: an API server of Kubernetes that reviews tokens, and an issuer of JWTs.

The API server does what the reference of ``authentication.k8s.io/v1`` says: it answers 201 with the review, confirms
those of the audiences asked for that the token has, and takes nothing from who may not create reviews.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme
import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

REVIEWER = "the-reviewers-own-token"
FORBIDDEN = (
    'tokenreviews.authentication.k8s.io is forbidden: User "system:serviceaccount:weft-system:weft" cannot create '
    'resource "tokenreviews" in API group "authentication.k8s.io" at the cluster scope'
)
"""The words of a real one."""
KEY = RSAKey.generate_key(2048, {"kid": "one"})


class Outside:
    """Both servers in one. ``accounts`` are the tokens that the cluster knows: the user, and the audiences."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        self.ca = directory / "outside-ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        self.pem = directory / "outside.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(self.pem)
        self.reviewer = directory / "reviewer.token"
        self.reviewer.write_text(REVIEWER)
        self.accounts: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.old = False
        """A server of before audiences: it looks at none and confirms none."""
        self.broken = False
        self.slow = 0.0
        self.unbound = False
        """The reviewer has no role."""
        self.reviews: list[dict[str, Any]] = []
        self.url = ""

    def token(self, **claims: Any) -> str:
        """A JWT of the issuer."""
        whole = {"iss": self.url, "aud": "weft", "exp": 4_000_000_000} | claims
        return jwt.encode({"alg": "RS256", "kid": "one"}, whole, KEY)

    async def review(self, request: Request) -> Response:
        """``POST /apis/authentication.k8s.io/v1/tokenreviews``."""
        await asyncio.sleep(self.slow)
        if self.broken:
            return JSONResponse({"kind": "Status", "code": 500}, 500)
        if self.unbound:
            return JSONResponse({"kind": "Status", "code": 403, "message": FORBIDDEN}, 403)
        if request.headers.get("authorization") != f"Bearer {REVIEWER}":
            return JSONResponse({"kind": "Status", "code": 401, "reason": "Unauthorized"}, 401)
        review = await request.json()
        self.reviews.append(review)
        assert review["apiVersion"] == "authentication.k8s.io/v1"
        assert review["kind"] == "TokenReview"
        return JSONResponse(review | {"status": self._status(review["spec"])}, 201)

    def _status(self, spec: dict[str, Any]) -> dict[str, Any]:
        username, audiences = self.accounts.get(spec["token"], ("", ()))
        confirmed = [one for one in spec.get("audiences", ["https://kubernetes.default.svc"]) if one in audiences]
        if not username or not (confirmed or self.old):
            return {"user": {}, "error": "[invalid bearer token, token audiences are invalid]"}
        groups = ["system:serviceaccounts", "system:authenticated"]
        user = {"username": username, "uid": "e4c8", "groups": groups, "extra": {"pod-name": ["web-0"]}}
        return {"authenticated": True, "user": user} | ({} if self.old else {"audiences": confirmed})

    async def configuration(self, _: Request) -> Response:
        """``GET /.well-known/openid-configuration``."""
        return JSONResponse({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})

    async def keys(self, _: Request) -> Response:
        """Where the configuration says."""
        return JSONResponse({"keys": [json.loads(json.dumps(KEY.as_dict(private=False)))]})


@contextmanager
def outside(directory: Path) -> Iterator[Outside]:
    """The servers, for the block."""
    found = Outside(directory)
    routes = [
        Route("/apis/authentication.k8s.io/v1/tokenreviews", found.review, methods=["POST"]),
        Route("/.well-known/openid-configuration", found.configuration),
        Route("/keys", found.keys),
    ]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found.url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            Starlette(routes=routes), ssl_certfile=str(found.pem), log_config=None, lifespan="off", ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield found
        finally:
            server.should_exit = True
            thread.join(20)
