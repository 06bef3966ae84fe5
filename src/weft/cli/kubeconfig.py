"""``weft kubeconfig``: weft's API as a cluster that kubectl, helm and client libraries can talk to."""

import base64
import os
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from weft.cli.connection import Connection, connected
from weft.cli.logged_in import EXEC_VERSION, logins
from weft.cli.talk import give
from weft.kit.errors import UserError
from weft.kit.files import private_directory, write_whole
from weft.kit.state_dir import default_state_dir


@click.command()
@click.option("--output", type=click.Path(path_type=Path), help="The file to write; default: in the state directory.")
@click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="The context's namespace.")
@connected
def command(connection: Connection, output: Path | None, namespace: str) -> None:
    """Write a kubeconfig for kubectl and print its path.

    Where you are logged in, kubectl asks `weft auth credential` for the login's token.

    `kubectl --kubeconfig "$(weft kubeconfig)" get virtualservices`
    """
    path = output or default_state_dir().kubeconfig
    private_directory(path.parent)
    write_whole(path, msgspec.json.format(msgspec.json.encode(_kubeconfig(connection, namespace)), indent=2))
    give(str(path))


def _kubeconfig(connection: Connection, namespace: str) -> dict[str, Any]:
    """JSON is YAML, so kubectl reads it."""
    cluster = {"server": connection.address, "certificate-authority-data": _base64(connection.ca_file, "--ca-file")}
    context = {"cluster": "weft", "user": "weft", "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "weft", "cluster": cluster}],
        "users": [{"name": "weft", "user": _user(connection)}],
        "contexts": [{"name": "weft", "context": context}],
        "current-context": "weft",
    }


def _user(connection: Connection) -> dict[str, Any]:
    """A token, or where tokens of the login come from ("client-go credential plugins" in Kubernetes' documentation)."""
    if connection.certificate is not None:
        found = {"client-certificate": str(connection.certificate.absolute())}
        return found | ({"client-key": str(connection.key.absolute())} if connection.key else {})
    if not connection.login or logins().of(connection.address) is None:
        return {"token": _read(connection.token_file, "--token-file").decode().strip()}
    state = os.environ.get("WEFT_STATE")
    command = {
        "apiVersion": EXEC_VERSION,
        "command": sys.executable,
        "args": ["-m", "weft", "auth", "credential", "--server", connection.address],
        "env": [{"name": "WEFT_STATE", "value": state}] if state else [],
        "interactiveMode": "Never",
    }
    return {"exec": command}


def _base64(path: Path, option: str) -> str:
    return base64.b64encode(_read(path, option)).decode()


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"there is no {path}", help=f"start a control plane with `weft up`, or use {option}") from None
