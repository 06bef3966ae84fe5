"""The options of ``weft up`` about an OpenID provider mean what Kubernetes' do."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from weft.api.id_tokens import Oidc
from weft.cli.oidc_options import oidc_options
from weft.jwks.tokens import ALGORITHMS
from weft.kit.errors import UserError

NAMED = ("--oidc-issuer-url", "https://idp.example.com", "--oidc-client-id", "weft")


def parsed(*arguments: str) -> Oidc | None:
    found: list[Oidc | None] = []

    @click.command()
    @oidc_options
    def command(oidc: Oidc | None) -> None:
        found.append(oidc)

    result = CliRunner().invoke(command, arguments)
    if isinstance(result.exception, Exception):
        raise result.exception
    return found[0]


def test_without_an_issuer_there_is_none() -> None:
    assert parsed() is None


@pytest.mark.parametrize(
    ("more", "changed"),
    [
        ((), {}),
        (("--oidc-username-prefix", "-"), {"username_prefix": ""}),
        (("--oidc-username-prefix", "idp:"), {"username_prefix": "idp:"}),
        (("--oidc-username-claim", "email"), {"username_claim": "email", "username_prefix": ""}),
        (("--oidc-required-claim", "a=b=c", "--oidc-required-claim", "d="), {"required": (("a", "b=c"), ("d", ""))}),
        (("--oidc-signing-algs", ",".join(ALGORITHMS)), {"algorithms": ALGORITHMS}),
    ],
)
def test_defaults_and_options(more: tuple[str, ...], changed: dict[str, Any]) -> None:
    known = {"issuer": NAMED[1], "client_id": "weft", "username_prefix": "https://idp.example.com#"}
    assert parsed(*NAMED, *more) == Oidc(**(known | changed))


@pytest.mark.parametrize(
    "arguments",
    [
        NAMED[:2],
        NAMED[2:],
        ("--oidc-issuer-url", "http://idp.example.com", "--oidc-client-id", "weft"),
        (*NAMED, "--oidc-signing-algs", "RS256,HS256"),
        (*NAMED, "--oidc-signing-algs", "none"),
        (*NAMED, "--oidc-required-claim", "tenant"),
        (*NAMED, "--oidc-ca-file", "/none/such.pem"),
        (*NAMED, "--oidc-ca-file", str(Path(__file__))),
    ],
)
def test_what_cannot_work_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as refused:
        parsed(*arguments)
    assert refused.value.exit_code == 2
