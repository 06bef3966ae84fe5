"""The options by which workloads prove themselves: a join token, or what the control plane takes besides."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from weft.agent.config import ProofKind
from weft.cli.errors import Usage
from weft.kit.errors import UserError

_F = TypeVar("_F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, dir_okay=False)
_FILES = {"token_file": ProofKind.TOKEN, "kubernetes_token_file": ProofKind.KUBERNETES, "jwt_file": ProofKind.JWT}


def proof_options(function: _F) -> _F:
    """Add the options; the command gets a ``proof``: fields of an ``AgentConfig``."""

    @click.option("--token-file", type=_FILE, help="The join token; needed once, until there is a certificate.")
    @click.option("--kubernetes-token-file", type=_FILE, help="Instead: a projected token of a Kubernetes account.")
    @click.option("--jwt-file", type=_FILE, help="Instead: a JWT of an issuer that the control plane knows.")
    @click.option("--join-socket", type=_FILE, help="Instead: the control plane's socket on this host.")
    @click.option("-n", "--namespace", default="default", show_default=True, help="With --join-socket: which to join.")
    @click.option(
        "--service-account", default="", help="As whom, where the proof leaves that open; default: the service's name."
    )
    @wraps(function)
    def command(**options: Any) -> Any:
        names = (*_FILES, "join_socket", "namespace", "service_account")
        return function(proof=_proof({name: options.pop(name) for name in names}), **options)

    return command  # type: ignore[return-value]


def _proof(options: dict[str, Any]) -> dict[str, Any]:
    given = [name for name in (*_FILES, "join_socket") if options[name] is not None]
    if len(given) > 1:
        told = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise Usage(f"{told} exclude each other", help="a workload proves itself in one way")
    if options["join_socket"] is not None:
        return {
            "proof": ProofKind.SOCKET,
            "join_socket": options["join_socket"].absolute(),
            "namespace": options["namespace"],
            "account": options["service_account"],
        }
    name = given[0] if given else "token_file"
    path: Path | None = options[name]
    if path is not None and not path.is_file():
        raise UserError(f"there is no file {path}", help=f"check --{name.replace('_', '-')}")
    account = {"account": options["service_account"]} if options["service_account"] else {}
    return {"proof": _FILES[name], "token_file": path.absolute() if path else None, **account}
