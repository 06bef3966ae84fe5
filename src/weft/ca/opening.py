"""Opens the signer that was chosen."""

import asyncio
from pathlib import Path

from weft.ca.authority import check_lifetime, open_authority
from weft.ca.choice import Choice, Embedded, Pair, Token, secret_of
from weft.ca.own import OwnFiles
from weft.ca.plugged import Plugged
from weft.ca.remote import Backend, Remote
from weft.ca.signer import Signer
from weft.ca.token_keys import TokenPlace, TokenSession
from weft.ca.token_signer import TokenFiles, TokenSigner
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.files import private_directory, write_whole
from weft.kit.sealing import Keyring
from weft.kit.tasks import tasks
from weft.kit.value import Value


class Place(Value):
    """Where the signer of a mesh keeps what is its own, and what it is to sign."""

    directory: Path
    trust_domain: str
    lifetime: float
    hosts: tuple[str, ...] = ()


async def open_signer(choice: Choice, place: Place, keyring: Keyring, clock: Clock) -> Signer:
    """The signer, ready. Raises ``UserError``; what is away for a while is waited for."""
    check_lifetime(place.lifetime)
    if choice.files is not None:
        return _published(Plugged(Path(choice.files.directory), place.trust_domain, clock, place.lifetime), place)
    if choice.pkcs11 is not None:
        return _published(_in_token(choice.pkcs11, place, clock), place)
    if choice.vault is not None:
        from weft.ca.vault import VaultBackend

        return await _remote(VaultBackend(choice.vault, clock), place, clock)
    if choice.istio is not None:
        from weft.ca.istio import IstioBackend

        return await _remote(IstioBackend(choice.istio, clock), place, clock, choice.istio.control_plane)
    embedded = choice.embedded or Embedded()
    return open_authority(
        place.directory,
        trust_domain=place.trust_domain,
        clock=clock,
        lifetime=place.lifetime,
        keyring=keyring,
        intermediate_lifetime=embedded.intermediate_days * 86400,
    )


async def opened_unless(
    stopping: asyncio.Event, choice: Choice, place: Place, keyring: Keyring, clock: Clock
) -> Signer | None:
    """As ``open_signer``; ``None`` if it is stopped while it waits."""

    async def opened() -> Signer | UserError | OSError:
        try:
            return await open_signer(choice, place, keyring, clock)
        except (UserError, OSError) as mistake:
            return mistake

    async with tasks() as group:
        opening = group.start(opened(), "certificate authority")
        stopped = group.start(stopping.wait(), "stopping")
        await asyncio.wait({opening, stopped}, return_when=asyncio.FIRST_COMPLETED)
        found = opening.result() if opening.done() else None
    if isinstance(found, UserError | OSError):
        raise found
    return found


def token_of(chosen: Token) -> tuple[TokenPlace, str]:
    """Where a chosen token is, and its PIN. Raises ``UserError``."""
    pin = secret_of(chosen.pin_file, chosen.pin_variable, "PIN of the token")
    return TokenPlace(module=Path(chosen.module), token=chosen.token, key=chosen.key), pin


def _in_token(chosen: Token, place: Place, clock: Clock) -> Signer:
    files = TokenFiles(
        certificate=Path(chosen.certificate),
        roots=Path(chosen.roots),
        chain=Path(chosen.chain) if chosen.chain else None,
    )
    return TokenSigner(TokenSession(*token_of(chosen)), files, place.trust_domain, clock, place.lifetime)


async def _remote(backend: Backend, place: Place, clock: Clock, shown: Pair | None = None) -> Signer:
    own = OwnFiles(shown, place.trust_domain, place.hosts) if shown is not None else None
    signer = Remote(backend, place.trust_domain, clock, place.lifetime, own)
    try:
        await signer.begin(place.hosts)
    except BaseException:
        await signer.close()
        raise
    return _published(signer, place)


def publish(signer: Signer, directory: Path) -> None:
    """Write what everybody is to believe where users find it, as the embedded authority does."""
    private_directory(directory)
    file, pem = directory / "root.pem", signer.bundle.encode("ascii")
    if not file.exists() or file.read_bytes() != pem:
        write_whole(file, pem, 0o644)


def _published(signer: Signer, place: Place) -> Signer:
    publish(signer, place.directory)
    return signer
