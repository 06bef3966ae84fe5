"""Projected tokens of Kubernetes accounts, reviewed by their API server (authentication.k8s.io/v1 ``TokenReview``).

A token must be for our audience, which the server must confirm: one that knows no audiences confirms none. Who it is
is the user's name, ``system:serviceaccount:NAMESPACE:NAME``; namespace and account are taken over as they are.
"""

import ssl
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from weft.attesting.choice import Kubernetes
from weft.ca.proof import Proof, Unproved
from weft.kit.errors import UserError, WeftError
from weft.kit.value import Value
from weft.model.identity import Identity, parse_identity

_PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
_PREFIX = "system:serviceaccount:"
_TIMEOUT = httpx2.Timeout(5.0)
_LARGEST = 256 * 1024
_LONGEST_TOKEN = 16 * 1024


class ReviewerAway(WeftError):
    """The API server cannot be asked now."""


class _User(Value):
    username: str = ""


class _Status(Value):
    authenticated: bool = False
    user: _User = _User()
    audiences: tuple[str, ...] = ()
    error: str = ""


class _Review(Value):
    status: _Status = _Status()


class KubernetesTokens:
    """Asks one API server."""

    def __init__(self, chosen: Kubernetes, trust_domain: str) -> None:
        """Raises ``UserError`` when the file of its authorities cannot be used."""
        self._chosen = chosen
        self._trust_domain = trust_domain
        self._trust = _trust(chosen.ca_file)

    async def identity(self, proof: Proof) -> Identity:
        """Whose a token is. Raises ``Unproved`` and ``ReviewerAway``."""
        if len(proof.kubernetes) > _LONGEST_TOKEN:
            raise Unproved("a token of Kubernetes is too long")
        status = await self._reviewed(proof.kubernetes)
        if not status.authenticated:
            raise Unproved(f"Kubernetes does not know the token ({status.error[:200] or 'not authenticated'})")
        if self._chosen.audience not in status.audiences:
            raise Unproved(f"the token of {status.user.username[:253]} is not for {self._chosen.audience}")
        return self._account(status.user.username)

    def _account(self, username: str) -> Identity:
        namespace, _, account = username.removeprefix(_PREFIX).partition(":")
        if not username.startswith(_PREFIX):
            raise Unproved(f"the token is of {username[:253]}, which is no account")
        self.require(namespace)
        try:
            return parse_identity(f"spiffe://{self._trust_domain}/ns/{namespace}/sa/{account}")
        except ValueError as odd:
            raise Unproved(str(odd)) from odd

    def require(self, namespace: str) -> None:
        """Raises ``Unproved`` if accounts of a namespace may not join."""
        if self._chosen.namespaces and namespace not in self._chosen.namespaces:
            raise Unproved(f"accounts of {namespace[:253]} may not join")

    async def _reviewed(self, token: str) -> _Status:
        asked = {"token": token, "audiences": [self._chosen.audience]}
        body: dict[str, Any] = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": asked}
        headers = {"Authorization": f"Bearer {self._own_token()}", "Content-Type": "application/json"}
        try:
            async with httpx2.AsyncClient(verify=self._trust, timeout=_TIMEOUT, trust_env=False) as http:
                url = self._chosen.api.rstrip("/") + _PATH
                answer = await http.post(url, content=msgspec.json.encode(body), headers=headers)
        except httpx2.HTTPError as away:
            raise ReviewerAway(f"Kubernetes does not answer ({type(away).__name__})") from away
        if answer.status_code not in (200, 201):
            raise ReviewerAway(f"Kubernetes answered {answer.status_code} to a TokenReview")
        try:
            return msgspec.json.decode(answer.content[:_LARGEST], type=_Review).status
        except msgspec.MsgspecError as odd:
            raise ReviewerAway("Kubernetes' answer is no TokenReview") from odd

    def _own_token(self) -> str:
        """Read each time: kubelets renew it."""
        try:
            return Path(self._chosen.token_file).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as unreadable:
            raise ReviewerAway(f"{self._chosen.token_file} holds no token") from unreadable


def _trust(file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as wrong:
        raise UserError(f"{file} holds no certificate of Kubernetes", help="name the cluster's ca.crt") from wrong
