"""Where the control plane is and how to prove who asks: flag, then environment, then the state directory."""

import os
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

    ``login``: the user's login there counts, if there is one, because no token file was named. ``certificate`` and
    ``key`` prove who asks instead of a token.
    """

    address: str
    token_file: Path
    ca_file: Path
    login: bool = False
    certificate: Path | None = None
    key: Path | None = None


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
    certificate = _file_in("WEFT_CLIENT_CERTIFICATE") if token_file is None else None
    return Connection(
        address=address,
        token_file=token_file or state.admin_token,
        ca_file=ca_file or state.bundle,
        login=token_file is None and certificate is None,
        certificate=certificate,
        key=_file_in("WEFT_CLIENT_KEY") if certificate else None,
    )


def _file_in(variable: str) -> Path | None:
    """The file that a variable names, ``None`` if it is not set."""
    named = os.environ.get(variable)
    if not named:
        return None
    if not Path(named).is_file():
        raise UserError(f"there is no file {named}", help=f"check the variable {variable}")
    return Path(named)


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
