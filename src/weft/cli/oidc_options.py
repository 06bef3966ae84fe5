"""The options of ``weft up`` that say who tells who people are: Kubernetes' ``--oidc-*``, with its defaults."""

import ssl
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from weft.cli.errors import Usage

if TYPE_CHECKING:
    from weft.api.id_tokens import Oidc

_F = TypeVar("_F", bound=Callable[..., Any])
_NO_PREFIX = "-"
_ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")


def oidc_options(function: _F) -> _F:
    """Add the options; the command gets an ``oidc``, ``None`` where no issuer is named."""

    @click.option("--oidc-issuer-url", metavar="URL", default="", help="An OpenID provider whose people may log in.")
    @click.option("--oidc-client-id", metavar="ID", default="", help="The client that ID tokens must be for.")
    @click.option("--oidc-username-claim", default="sub", show_default=True, help="The claim that is the user's name.")
    @click.option(
        "--oidc-username-prefix",
        help="Before every user's name; default: ISSUER#, none for the claim email; - for none.",
    )
    @click.option("--oidc-groups-claim", default="", help="The claim that has the user's groups.")
    @click.option("--oidc-groups-prefix", default="", help="Before every group's name.")
    @click.option("--oidc-required-claim", multiple=True, metavar="KEY=VALUE", help="A claim that tokens must have.")
    @click.option(
        "--oidc-signing-algs", default="RS256", show_default=True, help="The algorithms that count, with commas."
    )
    @click.option(
        "--oidc-ca-file", type=click.Path(path_type=Path, dir_okay=False), help="Who signs the provider's certificate."
    )
    @wraps(function)
    def command(**options: Any) -> Any:
        own = {name: options.pop(name) for name in list(options) if name.startswith("oidc_")}
        return function(oidc=_oidc(own), **options)

    return command  # type: ignore[return-value]  # the options that click adds are not in the type


def _oidc(options: dict[str, Any]) -> "Oidc | None":
    issuer, client = options["oidc_issuer_url"], options["oidc_client_id"]
    if not issuer and not client:
        return None
    if not issuer or not client:
        raise Usage(
            "an OpenID provider needs both its address and a client", help="--oidc-issuer-url, --oidc-client-id"
        )
    if urlsplit(issuer).scheme != "https":
        raise Usage(
            f"{issuer} is not an https address", help="--oidc-issuer-url is the issuer exactly as tokens have it"
        )
    from weft.api.id_tokens import Oidc

    return Oidc(
        issuer=issuer,
        client_id=client,
        username_claim=options["oidc_username_claim"],
        username_prefix=_prefix(options["oidc_username_prefix"], issuer, options["oidc_username_claim"]),
        groups_claim=options["oidc_groups_claim"],
        groups_prefix=options["oidc_groups_prefix"],
        required=tuple(_pair(text) for text in options["oidc_required_claim"]),
        algorithms=_algorithms(options["oidc_signing_algs"]),
        ca=certificates_in(options["oidc_ca_file"]) if options["oidc_ca_file"] else "",
    )


def _prefix(given: str | None, issuer: str, claim: str) -> str:
    """Names of an issuer are told from others' by its address, unless they are addresses of mail themselves."""
    if given is None:
        return "" if claim == "email" else f"{issuer}#"
    return "" if given == _NO_PREFIX else given


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Usage(f"{text!r} is no claim with a value", help="write it as --oidc-required-claim key=value")
    return name, value


def _algorithms(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in _ALGORITHMS:
            raise Usage(
                f"{name!r} is no algorithm that tokens may be signed with", help=f"use {', '.join(_ALGORITHMS)}"
            )
    return names


def certificates_in(path: Path) -> str:
    """The certificates of a PEM file. Raises ``Usage``."""
    try:
        text = path.read_text("ascii")
        ssl.create_default_context(cadata=text)
    except OSError as wrong:
        reason = (wrong.strerror or str(wrong)).lower()
        raise Usage(f"{path} cannot be read ({reason})", help="name a file of certificates in PEM") from None
    except (ValueError, ssl.SSLError):
        raise Usage(f"{path} holds no certificate", help="it must be a PEM file") from None
    return text
