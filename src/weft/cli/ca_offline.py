"""``weft ca export-root`` and what follows from it: the root's key kept away from the control plane."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weft.cli.durations import DURATION, told
from weft.cli.talk import give, say
from weft.kit.errors import PeerError, UserError
from weft.kit.state_dir import StateDir, default_state_dir

if TYPE_CHECKING:
    from weft.ca.offline import OfflineRoot

_FILE = click.Path(path_type=Path, dir_okay=False)
_STATE = click.option("--state", type=click.Path(path_type=Path, file_okay=False), help="Directory of all that lasts.")
_KEYS = click.option(
    "--encryption-key-file", type=_FILE, help="The file that `weft up` was given, if it was given one."
)
_PASSPHRASE = click.option("--passphrase-file", type=_FILE, help="What the exported key is encrypted with.")
_TTL = click.option("--ttl", type=DURATION, default="365d", show_default=True, help="How long the intermediate lives.")


@click.command("export-root")
@click.argument("file", type=_FILE)
@_PASSPHRASE
@_TTL
@_STATE
@_KEYS
def export_root(
    file: Path, passphrase_file: Path | None, ttl: float, state: Path | None, encryption_key_file: Path | None
) -> None:
    """Move the root's key into FILE, while the control plane is stopped.

    An intermediate stays and signs as long as --ttl says; make the next one with request-intermediate before that.
    """
    from weft.kit.state_dir import alone

    directory = _state(state)
    with alone(directory):
        end = _authority(directory, encryption_key_file).export(file, _passphrase(passphrase_file), _checked(ttl))
    say(f"the root's key is in {file} and nowhere else; take it away and keep a copy")
    say(f"the intermediate ends in {told(end - time.time())}")


@click.command("request-intermediate")
@_STATE
@_KEYS
def request_intermediate(state: Path | None, encryption_key_file: Path | None) -> None:
    """Print a request for the next intermediate, to be signed where the root's key is."""
    give(_authority(_state(state), encryption_key_file).request().decode().strip())


@click.command("sign-intermediate")
@click.argument("request", type=_FILE)
@click.option("--root", type=_FILE, required=True, help="The file that export-root wrote.")
@_PASSPHRASE
@_TTL
def sign_intermediate(request: Path, root: Path, passphrase_file: Path | None, ttl: float) -> None:
    """Sign a REQUEST with an exported root, and print the certificate."""
    from weft.ca.offline import imported, sign_request

    found = imported(root, _passphrase(passphrase_file))
    try:
        give(sign_request(found, _content(request), time.time(), _checked(ttl)).strip())
    except PeerError as bad:
        raise UserError(str(bad), help="make it with weft ca request-intermediate") from bad


@click.command("install-intermediate")
@click.argument("certificate", type=_FILE)
@_STATE
@_KEYS
def install_intermediate(certificate: Path, state: Path | None, encryption_key_file: Path | None) -> None:
    """Let the intermediate in CERTIFICATE sign from now on; a running control plane takes it within seconds."""
    end = _authority(_state(state), encryption_key_file).install(_content(certificate))
    say(f"the intermediate ends in {told(end - time.time())}")


@click.command("create-in-token")
@click.argument("ca_config", type=_FILE)
@click.option("--request", is_flag=True, help="Print a request for another authority to sign, not a root.")
@click.option("--trust-domain", default="cluster.local", show_default=True, help="The name in the root.")
def create_in_token(ca_config: Path, request: bool, trust_domain: str) -> None:
    """Make a key in the token that CA_CONFIG names, and print its certificate."""
    from weft.app.config import check_trust_domain
    from weft.ca.choice import read_choice
    from weft.ca.opening import token_of
    from weft.ca.token_signer import made_request, made_root

    chosen = read_choice(ca_config).pkcs11
    if chosen is None:
        raise UserError(f"{ca_config} does not choose pkcs11")
    check_trust_domain(trust_domain)
    place, pin = token_of(chosen)
    made = made_request(place, pin) if request else made_root(place, pin, trust_domain, time.time())
    give(made.strip())
    say(f"write it to {chosen.certificate}" if not request else "have it signed as an authority that signs leaves")


COMMANDS = (create_in_token, export_root, request_intermediate, sign_intermediate, install_intermediate)


def _authority(state: StateDir, key_file: Path | None) -> "OfflineRoot":
    from weft.ca.offline import OfflineRoot
    from weft.kit.clock import SystemClock
    from weft.store.keys import find_keys, key_source

    keys = find_keys(key_source(state.encryption_key, key_file, os.environ))
    return OfflineRoot(state.authority, keys.ring, SystemClock())


def _state(named: Path | None) -> StateDir:
    state = StateDir(root=named.expanduser().absolute()) if named else default_state_dir()
    if not state.bundle.exists():
        raise UserError(f"there is no certificate authority in {state.root}", help="name its directory with --state")
    return state


def _checked(ttl: float) -> float:
    from weft.ca.authority import LONGEST_LIFETIME
    from weft.ca.offline import LONGEST

    if not 2 * LONGEST_LIFETIME <= ttl <= LONGEST:
        raise UserError(f"an intermediate cannot live for {told(ttl)}", help="choose between 60d and 5 years")
    return ttl


def _passphrase(file: Path | None) -> bytes:
    return _content(file).strip() if file is not None else b""


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as refused:
        raise UserError(f"{file} cannot be read ({(refused.strerror or str(refused)).lower()})") from refused
