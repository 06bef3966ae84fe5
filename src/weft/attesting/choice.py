"""Which proofs a mesh takes: ``weft up --attestation FILE``, a YAML file with a key for each kind."""

import re
from pathlib import Path
from typing import Annotated

import msgspec

from weft.jwks.tokens import ALGORITHMS
from weft.kit.errors import UserError
from weft.kit.value import Value
from weft.model.authentication import KeySource

_HELP = "the kinds are kubernetes, jwt and local: docs/identity.md"
_SEGMENT = r"^[a-zA-Z0-9._-]{1,253}$"
Segment = Annotated[str, msgspec.Meta(pattern=_SEGMENT)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 2)]


class _Part(Value, rename="camel", forbid_unknown_fields=True):
    """A part of the file: nothing in it is ignored."""


class Kubernetes(_Part):
    """An API server that reviews tokens. ``tokenFile`` is ours, which may create ``tokenreviews``."""

    api: Annotated[str, msgspec.Meta(pattern="^https://[^ ]+$")]
    ca_file: str
    token_file: str
    audience: str = "weft"
    namespaces: tuple[Segment, ...] = ()
    """Those whose accounts may join, all where it is empty."""


class Claim(_Part):
    """A part of an identity: ``value`` as it is, or the text at ``claim`` (a name, or a path of names), or what the
    one group of ``pattern`` finds in it, which must match as a whole."""

    value: str = ""
    claim: str | tuple[str, ...] = ""
    pattern: str = ""


class Jwt(_Part):
    """An issuer whose tokens, for ``audience``, name accounts. ``required`` are claims that a token must have."""

    issuer: Annotated[str, msgspec.Meta(pattern="^https://[^ ]+$")]
    audience: Annotated[str, msgspec.Meta(min_length=1)]
    namespace: Claim
    account: Claim
    required: dict[str, str] = msgspec.field(default_factory=dict)
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    ca_file: str = ""

    @property
    def source(self) -> KeySource:
        """Where its keys are."""
        return KeySource(uri=self.issuer, discovered=True)


class LocalRule(_Part):
    """Processes of a user, of a group, of an executable (all that are given must match), and the accounts that they
    may have. Neither a user nor a group would be everybody, so one must be given."""

    namespace: Segment
    accounts: tuple[Segment, ...]
    uid: Number | None = None
    gid: Number | None = None
    executable: str = ""


class Local(_Part):
    """A Unix socket of this host, for processes of it."""

    socket: Path
    rules: tuple[LocalRule, ...]


class Attestation(_Part):
    """What is taken besides join tokens."""

    kubernetes: Kubernetes | None = None
    jwt: tuple[Jwt, ...] = ()
    local: Local | None = None


def read_attestation(file: Path) -> Attestation:
    """What a file says. Raises ``UserError``."""
    import yaml

    try:
        content = yaml.safe_load(file.read_text("utf-8"))
        found = msgspec.convert(content, Attestation, dec_hook=lambda _, text: Path(text))
    except OSError as refused:
        raise UserError(f"{file} cannot be read ({(refused.strerror or str(refused)).lower()})") from refused
    except (yaml.YAMLError, UnicodeDecodeError) as malformed:
        raise UserError(f"{file} is no YAML ({str(malformed).splitlines()[0].lower()})") from malformed
    except (msgspec.ValidationError, TypeError) as wrong:
        raise UserError(f"{file}: {str(wrong)[:1].lower()}{str(wrong)[1:]}", help=_HELP) from wrong
    for problem in _problems(found):
        raise UserError(f"{file}: {problem}", help=_HELP)
    return found


def _problems(found: Attestation) -> list[str]:
    problems = [problem for jwt in found.jwt for problem in _problems_of(jwt)]
    rules = found.local.rules if found.local else ()
    problems += ["a rule of local needs a uid or a gid" for rule in rules if rule.uid is None and rule.gid is None]
    if len({jwt.issuer for jwt in found.jwt}) < len(found.jwt):
        problems.append("jwt has the same issuer twice")
    return problems


def _problems_of(jwt: Jwt) -> list[str]:
    problems = [f"{name} is no algorithm that is taken" for name in jwt.algorithms if name not in ALGORITHMS]
    for name, claim in (("namespace", jwt.namespace), ("account", jwt.account)):
        if bool(claim.value) == bool(claim.claim):
            problems.append(f"jwt {name} needs either a value or a claim")
        if claim.pattern and not _has_one_group(claim.pattern):
            problems.append(f"the pattern of jwt {name} is no regular expression with one group")
    return problems


def _has_one_group(pattern: str) -> bool:
    try:
        return re.compile(pattern).groups == 1
    except re.error:
        return False
