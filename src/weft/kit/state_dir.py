"""The layout of the state directory, known to the control plane and to the command line alike."""

import os
from pathlib import Path

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
    def audit(self) -> Path:
        """The directory of the audit log."""
        return self.root / "audit"

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


def default_state_dir() -> StateDir:
    """``WEFT_STATE`` if set, else the user's XDG state directory."""
    if named := os.environ.get("WEFT_STATE"):
        return StateDir(root=Path(named).expanduser().absolute())
    from platformdirs import user_state_path

    return StateDir(root=user_state_path("weft"))
