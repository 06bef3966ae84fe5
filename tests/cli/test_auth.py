"""``weft auth``: tokens of people and programs, and what they may do."""

from pathlib import Path

from tests.cli.conftest import Weft

BINDING = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: jane, namespace: shop-of-jane}
roleRef: {kind: ClusterRole, name: view}
subjects: [{kind: User, name: jane}]
"""


def test_a_token_of_somebody_may_do_what_their_roles_allow(weft: Weft, tmp_path: Path) -> None:
    secret = tmp_path / "jane.token"
    made = weft("auth", "token", "create", "--user", "jane", "--group", "devs", "--to-file", str(secret))
    assert (made.code, made.out) == (0, "")
    assert "for jane, within 30d" in made.err
    assert secret.stat().st_mode & 0o777 == 0o600
    jane = ("--token-file", str(secret))
    assert "jane" in weft("auth", "whoami", *jane).out
    refused = weft("get", "services", "-n", "shop-of-jane", *jane)
    assert refused.code != 0
    assert 'cannot list resource "services"' in refused.err
    (tmp_path / "binding.yaml").write_text(BINDING)
    assert weft("apply", "-f", str(tmp_path / "binding.yaml")).code == 0
    assert weft("get", "services", "-n", "shop-of-jane", *jane).code == 0
    assert weft("auth", "can-i", "list", "virtualservices", "-n", "shop-of-jane", *jane).out == "yes\n"
    assert weft("auth", "can-i", "delete", "virtualservices", "-n", "shop-of-jane", *jane).code != 0
    assert weft("auth", "can-i", "list", "proxies.weft.dev", "-n", "shop-of-jane", *jane).code == 0
    assert weft("auth", "can-i", "get", "/weft/v1/status", *jane).code == 0


def test_a_token_is_listed_without_itself_and_revoked_at_once(weft: Weft, tmp_path: Path) -> None:
    made = weft("auth", "token", "create", "--user", "bob", "--namespace", "shop", "--read-only", "--ttl", "1h")
    secret = made.out.strip()
    file = tmp_path / "bob.token"
    file.write_text(secret)
    listed = weft("auth", "token", "list").out
    assert secret not in listed
    (line,) = (one for one in listed.splitlines() if " bob " in one)
    assert "get/list/watch only, shop only" in line
    assert weft("auth", "token", "revoke", line.split()[0]).code == 0
    assert weft("auth", "whoami", "--token-file", str(file)).code != 0


def test_limits_that_exclude_each_other_are_a_usage_error(weft: Weft) -> None:
    assert weft("auth", "token", "create", "--read-only", "--verb", "get").code != 0
