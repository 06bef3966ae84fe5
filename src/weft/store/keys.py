"""Where the keys come from that secrets are sealed with.

From a file that ``weft up --encryption-key-file`` names, from ``WEFT_ENCRYPTION_KEY``, from systemd's credential
``weft-encryption-key``, else from a file in the state directory that is made at the first start. Several keys, one a
line, are a ring: the first seals, all of them open.
"""

from collections.abc import Mapping
from pathlib import Path

from weft.kit.errors import UserError
from weft.kit.files import write_whole
from weft.kit.sealing import Keyring, SealingKey, new_key, parsed_key
from weft.kit.value import Value

VARIABLE = "WEFT_ENCRYPTION_KEY"
CREDENTIAL = "weft-encryption-key"
_CREDENTIALS = "CREDENTIALS_DIRECTORY"
_MAKE_ONE = "make one with: weft secrets new-key"


class KeySource(Value):
    """Where keys are: a file that the user named, the environment, and a file of weft's own that it may make."""

    own: Path
    named: Path | None = None
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment."""
        return dict(self.environment)


class Keys:
    """The ring that was found. ``own``: it comes from weft's own file, which ``told`` names, and may be replaced."""

    def __init__(self, ring: Keyring, told: str, *, own: bool) -> None:
        self.ring = ring
        self.told = told
        self.own = own


def key_source(own: Path, named: Path | None, environment: Mapping[str, str]) -> KeySource:
    """The source for a state directory; of the environment only what matters here."""
    kept = {name: environment[name] for name in (VARIABLE, _CREDENTIALS) if environment.get(name)}
    return KeySource(own=own, named=named, environment=tuple(sorted(kept.items())))


def find_keys(source: KeySource) -> Keys:
    """The keys, a new one in weft's own file if there are none. Raises ``UserError``, ``OSError``.

    Weft's own file still opens what it sealed when a key from elsewhere takes its place.
    """
    found = _given(source)
    own = _read(source.own) if source.own.exists() else ()
    if found is not None:
        keys, told = found
        return Keys(Keyring((*keys, *own)), told, own=False)
    if not own:
        write_whole(source.own, f"{new_key()}\n".encode())
        own = _read(source.own)
    return Keys(Keyring(own), str(source.own), own=True)


def read_keys(path: Path) -> tuple[SealingKey, ...]:
    """The keys of a file. Raises ``UserError``."""
    return _read(path)


def _given(source: KeySource) -> tuple[tuple[SealingKey, ...], str] | None:
    """Keys that do not come from weft's own file, and where they were found."""
    variables = source.variables
    if source.named is not None:
        return _read(source.named), str(source.named)
    if VARIABLE in variables:
        return _parsed(variables[VARIABLE].replace(",", " ").split(), VARIABLE), VARIABLE
    if _CREDENTIALS in variables:
        path = Path(variables[_CREDENTIALS]) / CREDENTIAL
        if path.exists():
            return _read(path), f"the credential {CREDENTIAL}"
    return None


def _read(path: Path) -> tuple[SealingKey, ...]:
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) and failure.strerror else "it is no text"
        raise UserError(f"the keys in {path} cannot be read: {reason.lower()}", help=_MAKE_ONE) from None
    if mode & 0o007:
        raise UserError(f"{path} can be read by everybody", help=f"chmod 600 {path}")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return _parsed([line for line in lines if line], str(path))


def _parsed(texts: list[str], place: str) -> tuple[SealingKey, ...]:
    if not texts:
        raise UserError(f"there is no encryption key in {place}", help=_MAKE_ONE)
    try:
        return tuple(parsed_key(text) for text in texts)
    except ValueError as wrong:
        raise UserError(f"the encryption key in {place} is none: {wrong}", help=_MAKE_ONE) from None
