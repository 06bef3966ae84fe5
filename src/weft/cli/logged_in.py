"""The login that a command acts by: its token, renewed where it ends."""

from typing import TYPE_CHECKING

from weft.cli.sessions import Session, Sessions
from weft.kit.errors import Denied
from weft.kit.state_dir import default_state_dir

if TYPE_CHECKING:
    from weft.cli.oidc import ClientOf, Tokens

EXEC_VERSION = "client.authentication.k8s.io/v1"
"""Of the objects by which kubectl is told a token."""


def logins() -> Sessions:
    """The logins of this user."""
    return Sessions(default_state_dir().logins)


def token_at(address: str) -> str | None:
    """The token of the login at a control plane, a new one where it ends; ``None`` without a login.

    Raises ``Denied`` when the login has ended.
    """
    return logins().token(address, _refreshed)


def _refreshed(session: Session) -> Session:
    if not session.refresh_token:
        raise Denied(f"the login at {session.address} has ended", help="log in again: `weft auth login`")
    from weft.cli.oidc import Provider

    client = client_of(session)
    with Provider(client) as provider:
        return session_of(session.address, client, provider.again(session.refresh_token))


def client_of(session: Session) -> "ClientOf":
    """As whom the provider was asked."""
    from weft.cli.oidc import ClientOf

    return ClientOf(
        issuer=session.issuer, client_id=session.client_id, secret=session.client_secret, ca_file=session.ca_file
    )


def session_of(address: str, client: "ClientOf", tokens: "Tokens") -> Session:
    """The login that a provider's tokens are."""
    return Session(
        address=address,
        issuer=client.issuer,
        client_id=client.client_id,
        client_secret=client.secret,
        ca_file=client.ca_file,
        id_token=tokens.id_token,
        refresh_token=tokens.refresh_token,
        expires=tokens.expires,
    )
