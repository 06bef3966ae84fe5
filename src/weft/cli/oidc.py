"""Getting tokens of an OpenID provider: by a browser on this machine, by a code on another, and again later.

RFC 8252 (native applications: a redirect to the loopback address), RFC 7636 (PKCE), RFC 8628 (device codes) and
OpenID Connect Core and Discovery. Tokens come straight from the provider over TLS, so their signatures are left to the
control plane (OpenID Connect Core, 3.1.3.7); whom they are from and for is looked at here.
"""

import base64
import hashlib
import hmac
import secrets
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import msgspec

from weft.cli.callback import Callback
from weft.cli.errors import TooLate
from weft.kit.errors import Denied, Unreachable, UserError
from weft.kit.value import Value

_TIMEOUT = httpx2.Timeout(15.0)
_DISCOVERY = "/.well-known/openid-configuration"
_WANTED = ("profile", "email", "groups", "offline_access")
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL = 5.0
"""Seconds between questions where the provider says nothing else (RFC 8628, 3.2)."""
_SLOWER = 5.0
_LONGEST_WAIT = 600.0


class ClientOf(Value):
    """A client of a provider, as it is registered there; ``secret`` is "" for one that can keep none."""

    issuer: str
    client_id: str
    secret: str = ""
    ca_file: str = ""


class Tokens(Value):
    """What a provider gave. ``expires`` is when the ID token ends, in seconds since the epoch."""

    id_token: str
    expires: float
    refresh_token: str = ""


class DeviceCode(Value):
    """What the user is to enter, and where."""

    code: str
    uri: str
    complete: str
    device_code: str
    interval: float
    seconds: float


class Provider:
    """One provider, asked as one client. Raises ``UserError`` for whatever it does not do."""

    def __init__(self, client: ClientOf, now: Callable[[], float] = time.time) -> None:
        self._client = client
        self._now = now
        self._http = httpx2.Client(verify=_trust(client.ca_file), timeout=_TIMEOUT, follow_redirects=False)
        self._facts = self._discovered()

    def __enter__(self) -> "Provider":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def by_browser(self, callback: Callback, show: Callable[[str], None], seconds: float) -> Tokens:
        """Have the user log in at a page that ``show`` opens; it leads back to ``callback``."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": callback.uri,
            "scope": self._scope(),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if "offline_access" in asked["scope"]:
            asked["prompt"] = "consent"  # a refresh token needs it (OpenID Connect Core, 11)
        show(f"{self._endpoint('authorization_endpoint')}?{urlencode(asked)}")
        answer = callback.wait(state, seconds)
        if answer.get("iss", self._client.issuer) != self._client.issuer:
            raise Denied("the answer is of another provider")  # RFC 9207
        if "code" not in answer:
            raise Denied(f"the provider refused the login: {_reason(answer)}")
        bought = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": callback.uri}
        return self._tokens(self._grant(bought | {"code_verifier": verifier}), nonce)

    def device(self) -> DeviceCode:
        """Begin a login on another machine."""
        found = self._post(
            "device_authorization_endpoint", {"client_id": self._client.client_id, "scope": self._scope()}
        )
        self._refuse_errors(found)
        uri = str(found.get("verification_uri", ""))
        return DeviceCode(
            code=str(found.get("user_code", "")),
            uri=uri,
            complete=str(found.get("verification_uri_complete", uri)),
            device_code=str(found.get("device_code", "")),
            interval=float(found.get("interval", _INTERVAL)),
            seconds=min(float(found.get("expires_in", _LONGEST_WAIT)), _LONGEST_WAIT),
        )

    def by_device(self, device: DeviceCode, pause: Callable[[float], None] = time.sleep) -> Tokens:
        """Wait until the user has entered the code."""
        interval, end = device.interval, self._now() + device.seconds
        while self._now() < end:
            pause(interval)
            found = self._post("token_endpoint", self._own({"grant_type": _DEVICE, "device_code": device.device_code}))
            match found.get("error"):
                case "authorization_pending":
                    continue
                case "slow_down":
                    interval += _SLOWER
                case _:
                    self._refuse_errors(found)
                    return self._tokens(found, None)
        raise TooLate("nobody entered the code in time", help="run the command again for a new one")

    def again(self, refresh_token: str) -> Tokens:
        """New tokens for who logged in before."""
        found = self._tokens(self._grant({"grant_type": "refresh_token", "refresh_token": refresh_token}), None)
        return found if found.refresh_token else msgspec.structs.replace(found, refresh_token=refresh_token)

    def revoke(self, refresh_token: str) -> None:
        """Make a refresh token useless (RFC 7009), where the provider can do that."""
        if "revocation_endpoint" in self._facts:
            self._refuse_errors(self._post("revocation_endpoint", self._own({"token": refresh_token})))

    def _discovered(self) -> dict[str, Any]:
        issuer = self._client.issuer
        facts = self._sent("GET", issuer.rstrip("/") + _DISCOVERY)
        if facts.get("issuer") != issuer:
            raise UserError(f"{issuer} is not what its OpenID configuration says", help="write the issuer as it does")
        return facts

    def _scope(self) -> str:
        supported = self._facts.get("scopes_supported", ())
        return " ".join(("openid", *(name for name in _WANTED if name in supported)))

    def _endpoint(self, name: str) -> str:
        uri = self._facts.get(name)
        if not isinstance(uri, str) or urlsplit(uri).scheme != "https":
            raise UserError(f"the provider has no {name.replace('_', ' ')}", help="log in the other way, see --device")
        return uri

    def _grant(self, asked: dict[str, str]) -> dict[str, Any]:
        found = self._post("token_endpoint", self._own(asked))
        self._refuse_errors(found)
        return found

    def _own(self, asked: dict[str, str]) -> dict[str, str]:
        secret = {"client_secret": self._client.secret} if self._client.secret else {}
        return asked | {"client_id": self._client.client_id} | secret

    def _post(self, endpoint: str, asked: dict[str, str]) -> dict[str, Any]:
        return self._sent("POST", self._endpoint(endpoint), data=asked)

    def _sent(self, method: str, uri: str, **options: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, uri, headers={"Accept": "application/json"}, **options)
        except httpx2.TransportError as wrong:
            raise Unreachable(
                f"cannot reach the OpenID provider at {self._client.issuer} ({str(wrong).lower()})",
                help="check the address, and --oidc-ca-file if its certificate is of your own CA",
            ) from wrong
        if not answer.content and answer.is_success:
            return {}
        try:
            return msgspec.json.decode(answer.content, type=dict[str, Any])
        except msgspec.MsgspecError:
            raise UserError(f"the OpenID provider answered {answer.status_code} and no JSON") from None

    def _refuse_errors(self, found: dict[str, Any]) -> None:
        if "error" in found:
            raise Denied(f"the provider refused the login: {_reason(found)}", help="log in again: `weft auth login`")

    def _tokens(self, found: dict[str, Any], nonce: str | None) -> Tokens:
        token = found.get("id_token")
        if not isinstance(token, str):
            raise UserError("the provider gave no ID token", help="the client must be allowed the scope openid")
        claims = _claims(token)
        audience = claims.get("aud")
        told = audience if isinstance(audience, list) else [audience]
        if claims.get("iss") != self._client.issuer or self._client.client_id not in told:
            raise Denied("the ID token is not of this provider for this client")
        if nonce is not None and not hmac.compare_digest(str(claims.get("nonce", "")), nonce):
            raise Denied("the ID token is of another login")
        refresh = found.get("refresh_token")
        expires = claims.get("exp", 0)
        return Tokens(
            id_token=token,
            expires=float(expires) if isinstance(expires, int | float) else 0.0,
            refresh_token=refresh if isinstance(refresh, str) else "",
        )


def _claims(token: str) -> dict[str, Any]:
    try:
        payload = token.split(".")[1]
        content = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return msgspec.json.decode(content, type=dict[str, Any])
    except (IndexError, ValueError, msgspec.MsgspecError):
        raise UserError("the provider gave an ID token that cannot be read") from None


def _reason(answer: dict[str, Any]) -> str:
    return str(answer.get("error_description") or answer.get("error") or "without a reason")[:200]


def _trust(ca_file: str) -> ssl.SSLContext:
    if not ca_file:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=Path(ca_file).read_text("ascii"))
    except (OSError, ValueError, ssl.SSLError):
        raise UserError(f"{ca_file} holds no certificate", help="--oidc-ca-file names a PEM file") from None
