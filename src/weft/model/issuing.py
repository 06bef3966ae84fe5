"""Certificates that weft obtains by itself and keeps as Secrets, and what it proves to get them."""

from weft.kit.value import Value
from weft.model.document import Key
from weft.model.finding import Path


class IssuerReference(Value):
    """Who is asked: an ``Issuer`` of the same namespace, or a ``ClusterIssuer``."""

    kind: str
    name: str


class AcmeIssuer(Value):
    """An authority that speaks ACME (RFC 8555). ``server`` is the URL of its directory.

    ``account`` is the Secret with the account's key, made at the first use. ``authorities`` (PEM) are whom the server's
    own certificate must come from, "" those that the host trusts. ``binding`` is the id and the Secret's key of an
    account that the authority knows already (external account binding).
    """

    key: Key
    server: str
    account: Key
    account_field: str = "tls.key"
    email: str = ""
    authorities: str = ""
    verified: bool = True
    preferred_chain: str = ""
    profile: str = ""
    binding: tuple[str, Key, str] | None = None


class LocalIssuer(Value):
    """Signs here: with the key pair in the Secret ``pair``, or, without one, with the certificate's own key."""

    key: Key
    pair: Key | None = None

    @property
    def server(self) -> str:
        """What tells it from another of the same name."""
        return f"secret {self.pair.name}" if self.pair is not None else "self-signed"


class VaultIssuer(Value):
    """A role of Vault's PKI engine. ``secret`` has the token, or with ``app_role`` (mount, role id) the secret id.

    ``authorities`` (PEM) are whom Vault's own certificate must come from, "" those that the host trusts.
    """

    key: Key
    server: str
    mount: str
    role: str
    secret: Key
    secret_field: str = "token"
    namespace: str = ""
    authorities: str = ""
    app_role: tuple[str, str] | None = None


Issuer = AcmeIssuer | LocalIssuer | VaultIssuer


class Order(Value):
    """A certificate that a document asks for: it is kept in the Secret ``secret``, for ``names``.

    It is renewed ``renew_before`` seconds before its end, or before so much (``renew_percent``) of its life is left;
    else in the last third. ``algorithm`` is ECDSA or RSA. ``duration`` is seconds, for issuers that can be told;
    ``authority``: it may sign others, and has ``common_name`` as its name. ``failed`` is what the status says
    of the last attempt, "" where it went well.
    """

    document: Key
    path: Path
    secret: Key
    names: tuple[str, ...]
    reference: IssuerReference
    renew_before: int | None = None
    renew_percent: int | None = None
    algorithm: str = "ECDSA"
    size: int = 256
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    failed: str = ""
    duration: int | None = None
    authority: bool = False
    common_name: str = ""


class Issuance(Value):
    """An order and the issuer that it goes to."""

    order: Order
    issuer: Issuer


class Challenge(Value):
    """What a gateway answers for a host at ``/.well-known/acme-challenge/<token>`` (RFC 8555, 8.3)."""

    key: Key
    host: str
    token: str
    answer: str
