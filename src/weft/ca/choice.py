"""Which signer a mesh has: ``weft up --ca-config FILE``, a YAML file with one key that names the kind."""

import os
from pathlib import Path

import msgspec

from weft.kit.errors import UserError
from weft.kit.value import Value


class _Part(Value, rename="camel", forbid_unknown_fields=True):
    """A part of the file: nothing in it is ignored."""


class Embedded(_Part):
    """Weft's own authority."""

    intermediate_days: float = 90.0


class Files(_Part):
    """An intermediate from files; see ``plugged``."""

    directory: str


class Token(_Part):
    """A key in a PKCS #11 token; see ``token_signer``. The PIN is in a file or in a variable."""

    module: str
    token: str
    key: str
    certificate: str
    roots: str
    chain: str = ""
    pin_file: str = ""
    pin_variable: str = "WEFT_PKCS11_PIN"


class AppRole(_Part):
    """Vault's AppRole; the secret id is in a file or in ``WEFT_VAULT_SECRET_ID``."""

    role_id: str
    secret_id_file: str = ""
    mount: str = "approle"


class KubernetesRole(_Part):
    """Vault's login for accounts of Kubernetes."""

    role: str
    token_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    mount: str = "kubernetes"


class Vault(_Part):
    """Vault's PKI engine; see ``vault``. The token is in a file or in ``VAULT_TOKEN`` unless there is a login."""

    address: str
    role: str
    mount: str = "pki"
    namespace: str = ""
    ca_file: str = ""
    roots: str = ""
    token_file: str = ""
    app_role: AppRole | None = None
    kubernetes: KubernetesRole | None = None


class Pair(_Part):
    """A certificate and its key, in PEM; see ``own``."""

    certificate: str
    key: str


class Istio(_Part):
    """A service that speaks Istio's protocol; see ``istio``. Weft shows it a certificate, or a token, or both.

    ``control_plane`` is what weft's own ports show, where the signer signs no names of hosts.
    """

    address: str
    roots: str
    ca_file: str = ""
    server_name: str = ""
    certificate: str = ""
    key: str = ""
    token_file: str = ""
    cluster_id: str = ""
    cert_signer: str = ""
    control_plane: Pair | None = None


class Choice(_Part):
    """One of the kinds; without any, the embedded authority."""

    embedded: Embedded | None = None
    files: Files | None = None
    pkcs11: Token | None = None
    vault: Vault | None = None
    istio: Istio | None = None


def secret_of(file: str, variable: str, what: str) -> str:
    """A secret from a file, else from the environment. Raises ``UserError``, which holds nothing of it."""
    if not file:
        if found := os.environ.get(variable, "").strip():
            return found
        raise UserError(f"there is no {what}", help=f"put it into {variable}, or name a file of it")
    try:
        found = Path(file).read_text("utf-8").strip()
    except OSError as refused:
        raise UserError(f"{file} cannot be read ({(refused.strerror or str(refused)).lower()})") from refused
    except UnicodeDecodeError:
        raise UserError(f"{file} holds no {what}") from None
    if not found:
        raise UserError(f"{file} is empty", help=f"it should hold the {what}")
    return found


def read_choice(file: Path) -> Choice:
    """What a file chooses. Raises ``UserError``."""
    import yaml

    try:
        content = yaml.safe_load(file.read_text("utf-8"))
        choice = msgspec.convert(content, Choice)
    except OSError as refused:
        raise UserError(f"{file} cannot be read ({(refused.strerror or str(refused)).lower()})") from refused
    except (yaml.YAMLError, UnicodeDecodeError) as malformed:
        raise UserError(f"{file} is no YAML ({str(malformed).splitlines()[0].lower()})") from malformed
    except msgspec.ValidationError as wrong:
        raise UserError(f"{file}: {_lower(str(wrong))}", help=_KINDS) from wrong
    chosen = [name for name in Choice.__struct_fields__ if getattr(choice, name) is not None]
    if len(chosen) != 1:
        raise UserError(f"{file} must choose one signer, and has {', '.join(chosen) or 'none'}", help=_KINDS)
    return choice


_KINDS = f"the kinds are {', '.join(Choice.__struct_fields__)}: docs/certificate-authority.md"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
