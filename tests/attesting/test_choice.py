"""Which proofs are taken is said in a file, in which nothing is ignored."""

from pathlib import Path

import pytest

from weft.attesting.choice import read_attestation
from weft.kit.errors import UserError

WHOLE = """
kubernetes: {api: "https://10.0.0.1:6443", caFile: ca.crt, tokenFile: token, namespaces: [shop]}
jwt:
  - issuer: https://ci.example.com
    audience: weft
    namespace: {value: ci}
    account: {claim: sub, pattern: "repo:acme/([a-z]+):.*"}
local:
  socket: /run/weft/agents.sock
  rules: [{uid: 1000, namespace: shop, accounts: [web]}]
"""
JWT = "jwt: [{issuer: https://a.example.com, audience: weft, namespace: %s, account: {claim: sub}}]"


def test_every_kind_can_be_chosen(tmp_path: Path) -> None:
    file = tmp_path / "attestation.yaml"
    file.write_text(WHOLE)
    found = read_attestation(file)
    assert found.kubernetes is not None
    assert found.kubernetes.audience == "weft"
    assert found.jwt[0].algorithms == ("RS256", "ES256")
    assert found.local is not None
    assert found.local.socket == Path("/run/weft/agents.sock")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- 1", "expected"),
        ("{", "no YAML"),
        ("unknown: {}", "unknown"),
        ("kubernetes: {api: 'http://10.0.0.1', caFile: a, tokenFile: b}", "api"),
        (JWT % "{}", "needs either a value or a claim"),
        (JWT % "{value: a, claim: b}", "needs either a value or a claim"),
        (JWT % "{claim: a, pattern: '('}", "no regular expression with one group"),
        (JWT % "{claim: a, pattern: 'a.*'}", "no regular expression with one group"),
        ("jwt: [{issuer: https://a, audience: '', namespace: {value: a}, account: {value: a}}]", "audience"),
        (
            "jwt: [{issuer: https://a, audience: w, namespace: {value: a}, account: {value: a}, algorithms: [HS256]}]",
            "no algorithm",
        ),
        ("local: {socket: /s, rules: [{namespace: shop, accounts: [web]}]}", "needs a uid or a gid"),
        ("local: {socket: /s, rules: [{uid: 1, namespace: 'a/b', accounts: [web]}]}", "namespace"),
    ],
)
def test_what_says_nothing_clear_is_refused_with_the_place(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "attestation.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=str(file)) as refused:
        read_attestation(file)
    assert words in str(refused.value)
