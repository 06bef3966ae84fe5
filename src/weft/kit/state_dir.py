"""The layout of the state directory, known to the control plane and to the command line alike."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from weft.kit.errors import UserError
from weft.kit.files import locked, private_directory
from weft.kit.value import Value


class StateDir(Value):
    """Where a control plane keeps what must outlive it. Nothing is created by asking for a path."""

    root: Path

    @property
    def database(self) -> Path:
        """The documents."""
        return self.root / "weft.db"

    @property
    def authority(self) -> Path:
        """The directory of the certificate authority."""
        return self.root / "ca"

    @property
    def bundle(self) -> Path:
        """The certificates that everybody trusts, as PEM."""
        return self.authority / "root.pem"

    @property
    def admin_token(self) -> Path:
        """The credential of the API, mode 0600."""
        return self.root / "admin.token"

    @property
    def logins(self) -> Path:
        """The logins of the command line's user, mode 0600."""
        return self.root / "logins.json"

    @property
    def audit(self) -> Path:
        """The directory of the audit log."""
        return self.root / "audit"

    @property
    def windows(self) -> Path:
        """What the mesh did over time."""
        return self.root / "windows.db"

    @property
    def traces(self) -> Path:
        """What was traced."""
        return self.root / "traces.db"

    @property
    def events(self) -> Path:
        """What happened."""
        return self.root / "events.db"

    @property
    def encryption_key(self) -> Path:
        """The key that secrets are sealed with, mode 0600, where the user gives none."""
        return self.root / "encryption.key"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig that ``weft kubeconfig`` writes."""
        return self.root / "kubeconfig"

    @property
    def ports(self) -> Path:
        """Where the running control plane listens, as JSON."""
        return self.root / "ports.json"

    @property
    def lock(self) -> Path:
        """Held by the one control plane that may use the directory."""
        return self.root / "lock"


@contextmanager
def alone(state: StateDir) -> Iterator[None]:
    """Hold the state directory. Raises ``UserError`` when a control plane does."""
    with ExitStack() as held:
        try:
            private_directory(state.root)
            held.enter_context(locked(state.lock, wait=False))
        except BlockingIOError:
            raise UserError(
                f"another control plane uses {state.root}", help="stop it first, or use another directory with --state"
            ) from None
        except OSError as refused:
            reason = (refused.strerror or str(refused)).lower()
            raise UserError(
                f"the state directory {state.root} cannot be used ({reason})", help="use another with --state"
            ) from refused
        yield


@contextmanager
def usable(state: StateDir) -> Iterator[None]:
    """Raises ``UserError`` when a file of the state directory cannot be read or written."""
    try:
        yield
    except OSError as refused:
        reason = (refused.strerror or str(refused)).lower()
        raise UserError(
            f"{refused.filename or state.root} cannot be used ({reason})",
            help=f"check the owner, the permissions and the free space of {state.root}",
        ) from refused


def default_state_dir() -> StateDir:
    """``WEFT_STATE`` if set, else the user's XDG state directory."""
    if named := os.environ.get("WEFT_STATE"):
        return StateDir(root=Path(named).expanduser().absolute())
    from platformdirs import user_state_path

    return StateDir(root=user_state_path("weft"))
