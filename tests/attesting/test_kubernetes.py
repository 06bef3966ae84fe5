"""An API server that reviews tokens: its authorities change, our own token does, and it does not always review."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import trustme
import yaml

from tests.attesting.cluster import FORBIDDEN, REVIEWER, Outside, outside
from weft.attesting.choice import Kubernetes
from weft.attesting.kubernetes import KubernetesTokens, ReviewerAway
from weft.ca.proof import Proof
from weft.kit.errors import UserError

DOCS = Path(__file__).parents[2] / "docs/kubernetes.md"
POD = Proof(kubernetes="pod")
BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"


def account(tokens: KubernetesTokens) -> str:
    return asyncio.run(tokens.identity(POD)).account


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Outside]:
    with outside(tmp_path) as found:
        found.accounts["pod"] = ("system:serviceaccount:shop:web", ("weft",))
        yield found


@pytest.fixture
def ca_file(tmp_path: Path, around: Outside) -> Path:
    path = tmp_path / "ca.crt"
    path.write_bytes(around.ca.read_bytes())
    return path


@pytest.fixture
def tokens(around: Outside, ca_file: Path) -> KubernetesTokens:
    chosen = Kubernetes(api=around.url, ca_file=str(ca_file), token_file=str(around.reviewer))
    return KubernetesTokens(chosen, "cluster.local")


def test_authorities_of_the_cluster_are_read_again_when_they_change(
    around: Outside, ca_file: Path, tokens: KubernetesTokens
) -> None:
    assert account(tokens) == "web"
    trustme.CA().cert_pem.write_to_path(ca_file)
    with pytest.raises(ReviewerAway, match="CERTIFICATE_VERIFY_FAILED"):
        account(tokens)
    ca_file.write_bytes(ca_file.read_bytes() + around.ca.read_bytes())
    assert account(tokens) == "web"


@pytest.mark.parametrize("content", ["", "no certificate", BROKEN])
def test_a_file_of_authorities_that_breaks_leaves_those_before(
    ca_file: Path, tokens: KubernetesTokens, content: str
) -> None:
    ca_file.write_text(content)
    with structlog.testing.capture_logs() as logs:
        assert account(tokens) == "web"
        assert account(tokens) == "web"
    assert [one["event"] for one in logs] == ["the authorities of Kubernetes stay as they were"], "said once"
    ca_file.unlink()
    assert account(tokens) == "web"


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_a_file_without_a_certificate_is_refused_at_the_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "ca.crt").write_text(content)
    chosen = Kubernetes(api="https://127.0.0.1:1", ca_file=str(tmp_path / "ca.crt"), token_file="token")
    with pytest.raises(UserError, match="holds no certificate of Kubernetes"):
        KubernetesTokens(chosen, "cluster.local")


def test_the_log_says_once_why_nothing_is_reviewed_and_when_it_is_again(
    around: Outside, tokens: KubernetesTokens
) -> None:
    around.unbound = True
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(ReviewerAway):
                account(tokens)
        around.unbound = False
        account(tokens)
        account(tokens)
    assert [one["log_level"] for one in logs] == ["warning", "info"]
    assert logs[0]["reason"] == f"Kubernetes answered 403 to a TokenReview: {FORBIDDEN}"


def test_a_token_of_ours_that_cannot_be_sent_is_not_in_the_log(around: Outside, tokens: KubernetesTokens) -> None:
    around.reviewer.write_text(f"{REVIEWER}\n{REVIEWER}")
    with structlog.testing.capture_logs() as logs, pytest.raises(ReviewerAway):
        account(tokens)
    assert len(logs) == 1
    assert REVIEWER not in str(logs)


def test_a_server_that_is_slow_is_left_before_the_agent_leaves_us(
    around: Outside, tokens: KubernetesTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.attesting.kubernetes._TIMEOUT", 0.2)
    around.slow = 1.0
    with pytest.raises(ReviewerAway, match=r"Kubernetes does not answer"):
        account(tokens)


def test_the_role_of_the_docs_is_the_one_right_that_is_used() -> None:
    text = DOCS.read_text()
    blocks = [part.partition("```")[0] for part in text.split("```yaml\n")[1:]]
    (manifest,) = [yaml.safe_load_all(block) for block in blocks if "kind: ClusterRole\n" in block]
    account, role, binding = manifest
    assert role["rules"] == [
        {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert (subject["name"], subject["namespace"]) == (account["metadata"]["name"], account["metadata"]["namespace"])
