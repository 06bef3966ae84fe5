"""Projected tokens of Kubernetes accounts, reviewed by their API server (authentication.k8s.io/v1 ``TokenReview``).

A token must be for our audience, which the server must confirm: one that knows no audiences confirms none. Who it is
is the user's name, ``system:serviceaccount:NAMESPACE:NAME``; namespace and account are taken over as they are.
Our own token and the server's authorities are files that others replace, so both are read anew when they change.
"""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import structlog

from weft.attesting.choice import Kubernetes
from weft.ca.proof import Proof, Unproved
from weft.kit.errors import UserError, WeftError
from weft.kit.value import Value
from weft.model.identity import Identity, parse_identity

_PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
_PREFIX = "system:serviceaccount:"
_TIMEOUT = 8.0
"""Of all together: less than the ten seconds that an agent waits."""
_LARGEST = 256 * 1024
_LONGEST_TOKEN = 16 * 1024
_log = structlog.get_logger()


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


class _Failure(Value):
    """A ``Status``, of which the message is for people."""

    message: str = ""


class KubernetesTokens:
    """Asks one API server."""

    def __init__(self, chosen: Kubernetes, trust_domain: str) -> None:
        """Raises ``UserError`` when the file of its authorities cannot be used."""
        self._chosen = chosen
        self._trust_domain = trust_domain
        self._authorities = _Authorities(Path(chosen.ca_file))
        self._told = ""

    async def identity(self, proof: Proof) -> Identity:
        """Whose a token is. Raises ``Unproved`` and ``ReviewerAway``."""
        if len(proof.kubernetes) > _LONGEST_TOKEN:
            raise Unproved("a token of Kubernetes is too long")
        status = await self._answered(proof.kubernetes)
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

    async def _answered(self, token: str) -> _Status:
        """A review; the log has why there is none, once for each reason."""
        try:
            async with asyncio.timeout(_TIMEOUT):
                status = await self._reviewed(token)
        except (ReviewerAway, TimeoutError) as away:
            why = str(away) or f"Kubernetes does not answer within {_TIMEOUT:g} s"
            if why != self._told:
                _log.warning("tokens of Kubernetes cannot be reviewed", api=self._chosen.api, reason=why)
            self._told = why
            raise ReviewerAway(why) from away
        if self._told:
            _log.info("tokens of Kubernetes are reviewed again", api=self._chosen.api)
        self._told = ""
        return status

    async def _reviewed(self, token: str) -> _Status:
        asked = {"token": token, "audiences": [self._chosen.audience]}
        body: dict[str, Any] = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": asked}
        headers = {"Authorization": f"Bearer {self._own_token()}", "Content-Type": "application/json"}
        trust = self._authorities.trusted()
        try:
            async with httpx2.AsyncClient(verify=trust, timeout=_TIMEOUT, trust_env=False) as http:
                url = self._chosen.api.rstrip("/") + _PATH
                answer = await http.post(url, content=msgspec.json.encode(body), headers=headers)
        except httpx2.HTTPError as away:
            raise ReviewerAway(f"Kubernetes does not answer ({_reason(away)})") from away
        if answer.status_code not in (200, 201):
            raise ReviewerAway(f"Kubernetes answered {answer.status_code} to a TokenReview{_message(answer.content)}")
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


class _Authorities:
    """Whom to believe to be the API server. A file that holds nothing usable any more changes nothing."""

    def __init__(self, file: Path) -> None:
        """Raises ``UserError``."""
        self._file = file
        self._stamp = self._stamped()
        self._trust = _trust(file)

    def trusted(self) -> ssl.SSLContext:
        """What the file says now: clusters change their authorities, and kubelets write the new ones."""
        stamp = self._stamped()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._trust = _trust(self._file)
            except UserError as wrong:
                _log.error("the authorities of Kubernetes stay as they were", reason=wrong.message)
        return self._trust

    def _stamped(self) -> tuple[int, int, int] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def _trust(file: Path) -> ssl.SSLContext:
    """These and no others: nothing of what the host believes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=file.read_text("ascii"))
    except (OSError, ValueError, ssl.SSLError) as wrong:
        raise UserError(f"{file} holds no certificate of Kubernetes", help="name the cluster's ca.crt") from wrong
    return context


def _reason(away: httpx2.HTTPError) -> str:
    """What went wrong, in the words of whoever saw it, unless they quote what was to be sent: our own token."""
    quotes = isinstance(away, httpx2.LocalProtocolError) or not str(away)
    return type(away).__name__ if quotes else f"{type(away).__name__}: {str(away)[:200]}"


def _message(content: bytes) -> str:
    try:
        said = msgspec.json.decode(content[:_LARGEST], type=_Failure).message
    except msgspec.MsgspecError:
        return ""
    return f": {said[:300]}" if said else ""
