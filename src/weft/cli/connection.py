"""Where the control plane is and how to prove who asks: flag, then environment, then the state directory."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from weft.kit.errors import UserError
from weft.kit.state_dir import StateDir, default_state_dir
from weft.kit.value import Value

_F = TypeVar("_F", bound=Callable[..., Any])


class Connection(Value):
    """An address and the files that go with it. Files that only the state directory suggests may be absent.

    ``login``: the user's login there counts, if there is one, because no token file was named.
    """

    address: str
    token_file: Path
    ca_file: Path
    login: bool = False


class Running(Value):
    """The addresses of a control plane, as ``weft up`` leaves them in its state directory."""

    api: str = "https://127.0.0.1:7070"
    agents: str = "https://127.0.0.1:7072"
    oidc_issuer_url: str = ""
    oidc_client_id: str = ""


def connection_of(server: str | None, token_file: Path | None, ca_file: Path | None) -> Connection:
    """The connection that flags, environment and state directory amount to."""
    state = default_state_dir()
    for named in (token_file, ca_file):
        if named is not None and not named.is_file():
            raise UserError(f"there is no file {named}", help="check --token-file, --ca-file and their variables")
    address = (server or running(state).api).rstrip("/")
    if not address.startswith("https://"):
        raise UserError(f"{address} is not an https address", help="write it as https://host:port")
    return Connection(
        address=address,
        token_file=token_file or state.admin_token,
        ca_file=ca_file or state.bundle,
        login=token_file is None,
    )


def connected(function: _F) -> _F:
    """Add the options of a command that talks to the control plane; it gets a ``connection``."""

    @click.option("--server", envvar="WEFT_ADDR", metavar="URL", help="The control plane. [env: WEFT_ADDR]")
    @click.option("--token-file", envvar="WEFT_TOKEN_FILE", type=click.Path(path_type=Path), help="File of the token.")
    @click.option("--ca-file", envvar="WEFT_CA_FILE", type=click.Path(path_type=Path), help="Whom to trust, as PEM.")
    @wraps(function)
    def command(*, server: str | None, token_file: Path | None, ca_file: Path | None, **options: Any) -> Any:
        return function(connection=connection_of(server, token_file, ca_file), **options)

    return command  # type: ignore[return-value]  # the options that click adds are not in the type


def running(state: StateDir) -> Running:
    """Where the control plane of a state directory said that it listens, or would by default."""
    try:
        return msgspec.json.decode(state.ports.read_bytes(), type=Running)
    except (OSError, msgspec.MsgspecError):
        return Running()
