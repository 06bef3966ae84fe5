"""HashiCorp Vault's and OpenBao's PKI engine as a signer, over its plain HTTP API.

``POST /v1/MOUNT/sign/ROLE`` signs a request and takes the names from us; the roots are those of a file, or of the mount
(``vault_roots``). The token is given, or had for an AppRole or a Kubernetes account, and renewed when a third of it is
left.
"""

import ipaddress
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2
from cryptography import x509

from weft.ca.chains import certificates_in
from weft.ca.choice import Vault, secret_of
from weft.ca.ending import Ending
from weft.ca.plugged import content_of
from weft.ca.remote import Asked
from weft.ca.signer import SignerAway
from weft.ca.vault_help import help_of
from weft.ca.vault_roots import MountRoots
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.value import Value

_TIMEOUT = httpx2.Timeout(5.0)
_WHOLE = 0.9
_LOOK_UP = "auth/token/lookup-self"
_TRY_LATER = (412, 429, 472, 473, 500, 502, 503, 504)


class _Token(Value):
    """``expires`` is seconds since the epoch, 0 for never."""

    secret: str
    expires: float
    life: float
    renewable: bool

    def __repr__(self) -> str:
        """Without the secret."""
        return f"_Token(expires={self.expires})"


class VaultBackend:
    """Asks one Vault; the token is had at the first question."""

    kind = "vault"
    names_in_request = False
    remedy = "the role must not take names from requests: use_csr_sans=false, use_csr_common_name=false"

    def __init__(self, chosen: Vault, clock: Clock, secret: str = "", authorities: str = "") -> None:
        """``secret`` and ``authorities`` (PEM) stand for the files that ``chosen`` would name."""
        self._secret = secret
        self.owner = f"Vault at {chosen.address}"
        self._chosen = chosen
        self._clock = clock
        self._http = httpx2.AsyncClient(
            base_url=_checked_address(chosen.address),
            verify=_trust(chosen.ca_file, authorities),
            timeout=_TIMEOUT,
            follow_redirects=False,
            trust_env=False,
        )
        self._token: _Token | None = None
        self._roots = MountRoots(self._public, chosen.mount, self.owner)

    async def sign(self, asked: Asked) -> str:
        """The certificate with its chain. A token that is no longer taken is had anew, once."""
        hosts = [host for host in asked.hosts if not _is_address(host)]
        addresses = [host for host in asked.hosts if _is_address(host)]
        body = {
            "csr": asked.request.decode("ascii"),
            "uri_sans": asked.identity.uri,
            "alt_names": ",".join(hosts),
            "ip_sans": ",".join(addresses),
            "ttl": f"{int(asked.lifetime)}s",
            "format": "pem",
            "exclude_cn_from_sans": True,
        }
        return await self._sign(body)

    async def sign_server(self, request: bytes, names: tuple[str, ...], lifetime: float) -> str:
        """The certificate of a server with some DNS names, and its chain up to the root."""
        body = {
            "csr": request.decode("ascii"),
            "common_name": names[0],
            "alt_names": ",".join(names[1:]),
            "ttl": f"{int(lifetime)}s",
            "format": "pem",
        }
        return await self._sign(body)

    async def _sign(self, body: dict[str, Any]) -> str:
        path = f"{self._chosen.mount}/sign/{quote(self._chosen.role, safe='')}"
        data = (await self._asked("POST", path, body)).get("data") or {}
        parts = [data.get("certificate"), *(data.get("ca_chain") or []), data.get("issuing_ca")]
        return "\n".join(part for part in parts if isinstance(part, str))

    async def roots(self) -> tuple[x509.Certificate, ...]:
        """Of the file, else the self-signed certificates of the mount."""
        if self._chosen.roots:
            return certificates_in(content_of(Path(self._chosen.roots)), self._chosen.roots)
        return await self._roots.found()

    async def look(self) -> None:
        """Renew the token when a third of its life is left; one that lasts no longer is had, or read, anew."""
        token = self._token
        if token is None or not token.expires or self._clock.now() < token.expires - token.life / 3:
            return
        if token.renewable:
            try:
                renewed = self._had(await self._asked("POST", "auth/token/renew-self", {}), token.secret)
            except UserError:
                self._token = None  # its longest life is over: another one is had, if there is a way
            else:
                if renewed.life > token.life * _WHOLE:
                    self._token = renewed
                    return
                last = _Token(secret=renewed.secret, expires=renewed.expires, life=token.life, renewable=False)
                self._token = last  # its longest life is near: nothing makes it last longer
        if self._logs_in or self._has_another(token):
            self._token = await self._logged_in()

    @property
    def _logs_in(self) -> bool:
        return bool(self._chosen.app_role or self._chosen.kubernetes)

    def _has_another(self, token: _Token) -> bool:
        """Whether the file holds another token than the one that ends."""
        file = self._chosen.token_file
        return bool(file) and not self._secret and secret_of(file, "", "token of Vault") != token.secret

    def endings(self) -> tuple[Ending, ...]:
        """The token, if it ends."""
        token = self._token
        if token is None or not token.expires:
            return ()
        renewed = token.renewable or self._logs_in
        return (Ending(kind="token", name=self.owner, expires=token.expires, life=token.life, renewed=renewed),)

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def _asked(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """A question with the token. One that is not taken is forgotten, so that it is had, or read, anew."""
        for _ in range(2):
            token = self._token = self._token or await self._logged_in()
            answer = await self._sent(method, path, body, token.secret)
            if answer.status_code != 403:
                break
            self._token = None
        if answer.status_code != 200:
            raise self._refusal(answer, path)
        return _json(answer)

    async def _public(self, path: str, *, optional: bool) -> httpx2.Response:
        """What anybody may read. Raises what a refusal means; ``optional``: that it is not there is none."""
        answer = await self._sent("GET", path, None, "")
        if answer.status_code not in (200, 204) and not (optional and answer.status_code == 404):
            raise self._refusal(answer, path)
        return answer

    async def _logged_in(self) -> _Token:
        """A token of whichever kind is chosen."""
        chosen = self._chosen
        if chosen.app_role is not None:
            role = chosen.app_role
            secret = self._secret or secret_of(role.secret_id_file, "WEFT_VAULT_SECRET_ID", "secret id of the AppRole")
            return await self._login(role.mount, {"role_id": role.role_id, "secret_id": secret})
        if chosen.kubernetes is not None:
            jwt = secret_of(chosen.kubernetes.token_file, "", "token of the service account")
            return await self._login(chosen.kubernetes.mount, {"role": chosen.kubernetes.role, "jwt": jwt})
        secret = self._secret or secret_of(chosen.token_file, "VAULT_TOKEN", "token of Vault")
        answer = await self._sent("GET", _LOOK_UP, None, secret)
        if answer.status_code != 200:
            raise self._refusal(answer, _LOOK_UP)
        data = _json(answer).get("data") or {}
        life = float(data.get("ttl") or 0)
        whole = float(data.get("creation_ttl") or life)
        expires = self._clock.now() + life if life else 0.0
        return _Token(secret=secret, expires=expires, life=whole, renewable=bool(data.get("renewable")))

    async def _login(self, mount: str, body: dict[str, str]) -> _Token:
        path = f"auth/{mount}/login"
        answer = await self._sent("POST", path, body, "")
        if answer.status_code != 200:
            raise self._refusal(answer, path)
        return self._had(_json(answer), "")

    def _had(self, answer: dict[str, Any], secret: str) -> _Token:
        auth = answer.get("auth") or {}
        secret = auth.get("client_token") or secret
        if not isinstance(secret, str) or not secret:
            raise UserError(f"{self.owner} answered a login without a token")
        life = float(auth.get("lease_duration") or 0)
        expires = self._clock.now() + life if life else 0.0
        return _Token(secret=secret, expires=expires, life=life, renewable=bool(auth.get("renewable")))

    async def _sent(self, method: str, path: str, body: dict[str, Any] | None, token: str) -> httpx2.Response:
        headers = {"X-Vault-Request": "true"}
        if token:
            headers["X-Vault-Token"] = token
        if self._chosen.namespace:
            headers["X-Vault-Namespace"] = self._chosen.namespace
        try:
            return await self._http.request(method, f"/v1/{path}", json=body, headers=headers)
        except httpx2.TimeoutException as late:
            raise SignerAway(f"{self.owner} does not answer in time") from late
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError) as broken:
            raise SignerAway(f"{self.owner} cannot be reached ({str(broken) or type(broken).__name__})") from broken

    def _refusal(self, answer: httpx2.Response, path: str) -> Exception:
        """What Vault's answer means: to be asked again later, or to be mended."""
        reasons = "; ".join(" ".join(str(one).split()) for one in (_json(answer).get("errors") or ()))[:500]
        said = f"{self.owner} answered {answer.status_code}" + (f": {reasons}" if reasons else "")
        if answer.status_code in _TRY_LATER:
            return SignerAway(said + (" (it is sealed or in standby)" if answer.status_code == 503 else ""))
        return UserError(said, help=help_of(answer.status_code, reasons, path))


def _checked_address(address: str) -> str:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    del port
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query:
        raise UserError(f"{address!r} is no address of Vault", help="write https://HOST:8200")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise UserError(f"{address} would send the token in plaintext", help="use https, and caFile for its authority")
    return address.rstrip("/")


def _trust(file: str, authorities: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file or None, cadata=authorities or None)
    except (OSError, ssl.SSLError) as wrong:
        raise UserError(
            f"{file} holds no certificates of an authority", help="name Vault's own CA with caFile"
        ) from wrong


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _json(answer: httpx2.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
