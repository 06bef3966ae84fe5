"""``weft auth login``: as a person that an OpenID provider knows, until the login is given up."""

import webbrowser
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from weft.cli.callback import Callback
from weft.cli.client import Client
from weft.cli.connection import Connection, connected, running
from weft.cli.durations import DURATION
from weft.cli.errors import Usage
from weft.cli.logged_in import EXEC_VERSION, client_of, logins, session_of, token_at
from weft.cli.oidc import ClientOf, Provider, Tokens
from weft.cli.sessions import Session
from weft.cli.talk import give, say
from weft.kit.errors import Denied, UserError
from weft.kit.state_dir import default_state_dir


@click.command("login")
@click.option("--oidc", is_flag=True, default=True, help="With an OpenID provider; the only way there is.")
@click.option("--device", is_flag=True, help="With a code that is entered in a browser on any machine.")
@click.option("--oidc-issuer-url", "issuer", envvar="WEFT_OIDC_ISSUER_URL", metavar="URL", help="The provider.")
@click.option("--oidc-client-id", "client_id", envvar="WEFT_OIDC_CLIENT_ID", metavar="ID", help="Weft's name there.")
@click.option(
    "--oidc-client-secret-file", "secret_file", type=click.Path(path_type=Path, dir_okay=False),
    help="The client's secret, where the provider wants one.",
)  # fmt: skip
@click.option(
    "--oidc-ca-file", "provider_ca", type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Who signs the provider's certificate.",
)  # fmt: skip
@click.option("--callback-port", type=click.IntRange(0, 65_535), default=0, help="Of the page that the login leads to.")
@click.option("--no-browser", is_flag=True, help="Open no browser, only tell the page's address.")
@click.option("--timeout", type=DURATION, default="5m", show_default=True, help="How long to wait for you.")
@connected
def login(
    connection: Connection,
    oidc: bool,
    device: bool,
    issuer: str | None,
    client_id: str | None,
    secret_file: Path | None,
    provider_ca: Path | None,
    callback_port: int,
    no_browser: bool,
    timeout: float,
) -> None:
    """Log in as a person that an OpenID provider knows.

    The provider and the client are those of the control plane of this machine, or of the last login, if not named.
    """
    del oidc
    client = _client(connection, issuer, client_id, secret_file, provider_ca)
    with Provider(client) as provider:
        if device:
            tokens = _by_device(provider)
        else:
            with Callback(callback_port) as callback:
                tokens = provider.by_browser(callback, lambda page: _show(page, browser=not no_browser), timeout)
    session = session_of(connection.address, client, tokens)
    name = _name(connection, session)
    logins().keep(session)
    give(f"logged in as {name}")
    if not session.refresh_token:
        say("the provider gives no refresh token: the login ends with its token")


@click.command("logout")
@connected
def logout(connection: Connection) -> None:
    """Give up the login at a control plane."""
    session = logins().of(connection.address)
    if session is None:
        raise UserError(f"there is no login at {connection.address}")
    logins().forget(connection.address)
    if session.refresh_token:
        try:
            with Provider(client_of(session)) as provider:
                provider.revoke(session.refresh_token)
        except UserError as wrong:
            say(f"the provider was not told: {wrong.message}")
    give(f"logged out of {connection.address}")


@click.command("credential")
@connected
def credential(connection: Connection) -> None:
    """Print the login's token as kubectl reads it; it is renewed where it ends."""
    token = token_at(connection.address)
    session = logins().of(connection.address)
    if token is None or session is None:
        raise Denied(f"there is no login at {connection.address}", help="log in: `weft auth login`")
    end = datetime.fromtimestamp(session.expires, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    told = {
        "apiVersion": EXEC_VERSION,
        "kind": "ExecCredential",
        "status": {"token": token, "expirationTimestamp": end},
    }
    give(msgspec.json.encode(told).decode())


def _client(
    connection: Connection, issuer: str | None, client_id: str | None, secret_file: Path | None, ca: Path | None
) -> ClientOf:
    """What was named, else what the last login was with, else what the control plane of this machine has."""
    before = logins().of(connection.address)
    here = running(default_state_dir())
    if issuer is None and client_id is None and before is not None:
        known = client_of(before)
    else:
        known = ClientOf(issuer=issuer or here.oidc_issuer_url, client_id=client_id or here.oidc_client_id)
    if not known.issuer or not known.client_id:
        raise Usage("no OpenID provider is known", help="name it with --oidc-issuer-url and --oidc-client-id")
    if secret_file is not None:
        known = msgspec.structs.replace(known, secret=secret_file.read_text("utf-8").strip())
    return msgspec.structs.replace(known, ca_file=str(ca.absolute())) if ca else known


def _by_device(provider: Provider) -> Tokens:
    code = provider.device()
    say(f"enter the code {code.code} at {code.uri}")
    if code.complete != code.uri:
        say(f"or open {code.complete}")
    return provider.by_device(code)


def _show(page: str, *, browser: bool) -> None:
    if not browser or not webbrowser.open(page):
        say(f"open this page to log in: {page}")


def _name(connection: Connection, session: Session) -> str:
    """As whom the control plane knows the login; one that it does not take is not kept."""
    with Client(connection, token=session.id_token) as client:
        try:
            answer = client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
        except Denied:
            raise Denied(
                f"the control plane at {connection.address} does not take this login",
                help="its --oidc-issuer-url and --oidc-client-id must be the same; its audit log says why",
            ) from None
    return str(answer["status"]["userInfo"]["username"])
