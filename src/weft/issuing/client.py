"""One order at an ACME server, step by step, by the library ``acme``, which blocks: each step is called in a thread.

The library is imported when the first certificate is asked for: it takes most of a second and 7 MB.
"""

import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import requests
from acme import challenges, errors, messages
from acme.client import ClientNetwork, ClientV2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from josepy.errors import Error as JoseError
from josepy.jwa import ES256, ES384, ES512, RS256
from josepy.jwk import JWKEC, JWKRSA

from weft.issuing.errors import Unissued
from weft.issuing.keys import PrivateKey
from weft.issuing.proof import Proof
from weft.model.issuing import AcmeIssuer

P = ParamSpec("P")
R = TypeVar("R")
_TIMEOUT = 15
_MAX_WORDS = 500
_ALGORITHMS = {256: ES256, 384: ES384, 521: ES512}


def _told(step: Callable[Concatenate["AcmeOrder", P], R]) -> Callable[Concatenate["AcmeOrder", P], R]:
    """Whatever the library raises, as ``Unissued`` in a sentence."""

    @wraps(step)
    def told(self: "AcmeOrder", *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return step(self, *args, **kwargs)
        except messages.Error as refused:
            raise Unissued(f"{self.server} refused: {_words(refused)}") from refused
        except (errors.Error, requests.RequestException, JoseError, ValueError, KeyError) as wrong:
            raise Unissued(
                f"{self.server} does not answer as it should: {_one_line(str(wrong) or repr(wrong))}"
            ) from wrong

    return cast(Callable[Concatenate["AcmeOrder", P], R], told)


class AcmeOrder:
    """An account's order for one certificate. Every method may raise ``Unissued``."""

    def __init__(self, issuer: AcmeIssuer, key: PrivateKey, secret: str = "") -> None:
        self.server = issuer.server
        self._issuer = issuer
        self._secret = secret
        self._authorities = tempfile.NamedTemporaryFile(suffix=".pem")  # noqa: SIM115  as long as the order
        self._authorities.write(issuer.authorities.encode())
        self._authorities.flush()
        verify: Any = issuer.verified and (self._authorities.name if issuer.authorities else True)
        algorithm = RS256 if isinstance(key, rsa.RSAPrivateKey) else _ALGORITHMS[key.curve.key_size]
        jwk = JWKRSA(key=key) if isinstance(key, rsa.RSAPrivateKey) else JWKEC(key=key)
        self._network = ClientNetwork(jwk, alg=algorithm, verify_ssl=verify, user_agent="weft", timeout=_TIMEOUT)
        self._client: ClientV2
        self._order: messages.OrderResource
        self._open: dict[str, messages.ChallengeBody] = {}

    def close(self) -> None:
        """Let go of the connections."""
        self._network.session.close()
        self._authorities.close()

    @_told
    def begin(self, request: bytes) -> tuple[Proof, ...]:
        """Log in (registering at the first time), order, and tell what must be proven."""
        directory = ClientV2.get_directory(self.server, self._network)
        self._client = ClientV2(directory, self._network)
        self._log_in()
        self._order = self._client.new_order(request, self._issuer.profile or None)
        return tuple(self._proof(one) for one in self._order.authorizations if not _is_valid(one))

    @_told
    def ask(self, proof: Proof) -> None:
        """Let the authority look at a proof that is in place."""
        challenge = self._open[proof.token]
        self._client.answer_challenge(challenge, challenge.response(self._network.key))

    @_told
    def proven(self) -> bool:
        """Whether the authority has seen every proof. Raises ``Unissued`` with its words when it did not see one."""
        done = True
        for authorization in self._order.authorizations:
            current, _ = self._client.poll(authorization)
            if current.body.status == messages.STATUS_INVALID:
                raise Unissued(_unseen(current))
            done = done and _is_valid(current)
        return done

    @_told
    def finish(self, patience: float) -> bytes | None:
        """The chain in PEM; ``None`` when it is not there after so many seconds, which is no fault."""
        try:
            done = self._client.poll_finalization(
                self._order,
                datetime.now() + timedelta(seconds=patience),  # noqa: DTZ005  the library compares with such
                fetch_alternative_chains=bool(self._issuer.preferred_chain),
            )
        except errors.TimeoutError:
            return None
        chains = [done.fullchain_pem, *(done.alternative_fullchains_pem or ())]
        preferred = [chain for chain in chains if _leads_to(chain, self._issuer.preferred_chain)]
        return str((preferred or chains)[0]).encode()

    def _log_in(self) -> None:
        account = messages.NewRegistration.from_data(
            email=self._issuer.email or None, terms_of_service_agreed=True, external_account_binding=self._binding()
        )
        try:
            self._client.new_account(account)
        except errors.ConflictError as known:
            empty = messages.RegistrationResource(uri=known.location, body=messages.Registration())
            self._client.query_registration(empty)

    def _binding(self) -> Any:
        if self._issuer.binding is None:
            return None
        name, *_ = self._issuer.binding
        public = self._network.key.public_key() if self._network.key else None
        return messages.ExternalAccountBinding.from_data(public, name, self._secret, self._client.directory)

    def _proof(self, authorization: messages.AuthorizationResource) -> Proof:
        host = authorization.body.identifier.value
        for body in authorization.body.challenges:
            if isinstance(body.chall, challenges.HTTP01):
                token = body.chall.encode("token")
                self._open[token] = body
                return Proof(host=host, token=token, answer=body.validation(self._network.key))
        raise Unissued(f"{self.server} offers no proof over HTTP for {host}")


def _is_valid(authorization: messages.AuthorizationResource) -> bool:
    return bool(authorization.body.status == messages.STATUS_VALID)


def _unseen(authorization: messages.AuthorizationResource) -> str:
    host = authorization.body.identifier.value
    errors_of = [_words(one.error) for one in authorization.body.challenges if one.error is not None]
    return f"the authority did not see the proof for {host}: {'; '.join(errors_of) or 'it says not why'}"


def _leads_to(chain: str, name: str) -> bool:
    """Whether a chain's last certificate was issued by a name."""
    last = x509.load_pem_x509_certificates(chain.encode())[-1]
    return bool(name) and f"CN={name}" in last.issuer.rfc4514_string()


def _words(error: messages.Error) -> str:
    return _one_line(f"{error.detail or error.description or error.typ} ({str(error.typ).rpartition(':')[2]})")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_MAX_WORDS]
