"""apply, get, delete, kubeconfig against a real control plane."""

import json
import stat
import threading
import time
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Running, Weft
from tests.cli.test_bad_input import GOOD, route


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A file with a service, its subsets and a route."""
    file = tmp_path / "shop.yaml"
    file.write_text(GOOD + route())
    return file


def test_apply_tells_created_then_unchanged_then_configured(weft: Weft, shop: Path) -> None:
    names = [
        "service/reviews",
        "destinationrule.networking.istio.io/reviews",
        "virtualservice.networking.istio.io/reviews",
    ]
    first = weft("apply", "-n", "words", "-f", str(shop))
    assert first.out.splitlines() == [f"{name} created" for name in names]
    second = weft("apply", "-n", "words", "-f", str(shop))
    assert second.out.splitlines() == [f"{name} unchanged" for name in names]
    shop.write_text(GOOD + route(first=80, second=20))
    third = weft("apply", "-n", "words", "-f", str(shop))
    assert third.out.splitlines()[-1] == f"{names[-1]} configured"
    assert third.out.splitlines()[0] == f"{names[0]} unchanged"
    assert (first.code, first.err, third.err) == (0, "", "")


def test_a_dry_run_changes_nothing(weft: Weft, shop: Path) -> None:
    done = weft("apply", "-n", "dry", "--dry-run", "-f", str(shop))
    assert done.code == 0
    assert done.out.splitlines()[0] == "service/reviews created (dry run)"
    assert weft("get", "services", "-n", "dry", "-o", "name").out == ""


def test_documents_come_from_standard_input_and_lists(weft: Weft) -> None:
    items = [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": n}, "spec": {"ports": [{"port": 1}]}} for n in "ab"
    ]
    done = weft(
        "apply", "-n", "stdin", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    )
    assert done.out == "service/a created\nservice/b created\n"


def test_a_mistake_in_a_list_is_found_at_its_place(weft: Weft) -> None:
    item = "- apiVersion: v1\n  kind: Service\n  metadata: {name: a}\n  spec: {port: 1}\n"
    text = f"apiVersion: v1\nkind: List\nitems:\n{item}"
    done = weft("apply", "-f", "-", stdin=text)
    assert done.code == 1
    assert "--> -:7:10" in done.err


@pytest.mark.parametrize(
    "kind", ["virtualservices", "virtualservice", "vs", "VirtualService", "vs.networking.istio.io"]
)
def test_kinds_answer_to_all_their_names(kind: str, weft: Weft, shop: Path) -> None:
    weft("apply", "-n", "kinds", "-f", str(shop))
    done = weft("get", kind, "-n", "kinds")
    assert done.code == 0
    head, row = done.out.splitlines()
    assert head.startswith("NAME ")
    assert row.startswith("reviews ")


def test_an_unknown_kind_is_not_found_and_a_near_one_is_guessed(weft: Weft) -> None:
    done = weft("get", "virtualservic")
    assert done.code == 4
    assert done.err.startswith("error: there is no kind virtualservic\nhelp: did you mean `virtualservice`? known are ")


def test_get_prints_yaml_that_apply_takes_back(weft: Weft, shop: Path) -> None:
    weft("apply", "-n", "yaml", "-f", str(shop))
    text = weft("get", "vs", "reviews", "-n", "yaml", "-o", "yaml").out
    assert yaml.safe_load(text)["spec"]["hosts"] == ["reviews"]
    listed = json.loads(weft("get", "vs", "-n", "yaml", "-o", "json").out)
    assert [item["metadata"]["name"] for item in listed["items"]] == ["reviews"]


def test_all_namespaces_have_a_column_and_a_selector_narrows(weft: Weft, shop: Path) -> None:
    shop.write_text(GOOD.replace("{name: reviews}", "{name: reviews, labels: {team: blue}}", 1))
    weft("apply", "-n", "across", "-f", str(shop))
    done = weft("get", "services", "-A", "-l", "team=blue")
    head, row = done.out.splitlines()
    assert head.split()[:2] == ["NAMESPACE", "NAME"]
    assert row.split()[:2] == ["across", "reviews"]


def test_nothing_is_said_on_stdout_when_there_is_nothing(weft: Weft) -> None:
    done = weft("get", "vs", "-n", "empty")
    assert (done.code, done.out) == (0, "")
    assert done.err == "no virtualservices in namespace empty\n"


def test_a_name_that_is_not_there_is_exit_code_4(weft: Weft) -> None:
    done = weft("get", "vs", "none", "-n", "empty")
    assert done.code == 4
    assert done.err == 'error: virtualservices.networking.istio.io "none" not found\n'


def test_delete_by_file_and_by_name(weft: Weft, shop: Path) -> None:
    weft("apply", "-n", "gone", "-f", str(shop))
    by_name = weft("delete", "vs", "reviews", "-n", "gone")
    assert by_name.out == "virtualservice.networking.istio.io/reviews deleted\n"
    by_file = weft("delete", "-n", "gone", "-f", str(shop))
    assert by_file.code == 4
    assert by_file.out == "destinationrule.networking.istio.io/reviews deleted\nservice/reviews deleted\n"
    assert "virtualservice.networking.istio.io/reviews not found" in by_file.err
    assert weft("delete", "-n", "gone", "--ignore-not-found", "-f", str(shop)).code == 0


@pytest.mark.parametrize("arguments", [(), ("vs",), ("vs", "a", "-f", "x.yaml")])
def test_an_unclear_deletion_is_a_usage_error(arguments: tuple[str, ...], weft: Weft) -> None:
    assert weft("delete", *arguments).code == 2


def test_kubeconfig_is_private_and_complete(weft: Weft, control_plane: Running) -> None:
    path = Path(weft("kubeconfig").out.strip())
    assert path == control_plane.state.kubeconfig
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = yaml.safe_load(path.read_text())
    assert content["clusters"][0]["cluster"]["server"] == control_plane.addresses.api
    assert content["users"][0]["user"]["token"].startswith("weft_admin_")


def test_a_wrong_token_is_denied(weft: Weft, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("weft_admin_wrong")
    done = weft("get", "services", "--token-file", str(file))
    assert done.code == 5
    assert (
        done.err
        == f"error: the control plane does not accept the token in {file}\nhelp: name another with --token-file\n"
    )


def test_a_certificate_of_somebody_else_is_told(weft: Weft, control_plane: Running, tmp_path: Path) -> None:
    import trustme

    file = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(file)
    done = weft("get", "services", "--ca-file", str(file))
    assert done.code == 6
    assert "its certificate is not signed by a CA that is trusted" in done.err
    assert str(file) in done.err


def test_a_watch_shows_what_changes(weft: Weft, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from weft.cli import get

    weft("apply", "-n", "watched", "-f", str(shop))
    shown: list[str] = []

    class EnoughError(KeyboardInterrupt):
        pass

    def give(text: str) -> None:
        shown.append(text)
        if "zeta" in text:
            raise EnoughError

    monkeypatch.setattr(get, "give", give)

    def write() -> None:
        deadline = time.monotonic() + 10
        while not shown and time.monotonic() < deadline:
            time.sleep(0.01)
        shop.write_text(route().replace("name: reviews}", "name: zeta}", 1))
        weft_again("apply", "-n", "watched", "-f", str(shop))

    from tests.cli.conftest import run_weft as weft_again

    thread = threading.Thread(target=write)
    thread.start()
    done = weft("get", "vs", "-n", "watched", "-w")
    thread.join()
    assert done.code == 130
    assert "reviews" in shown[0]
    assert shown[-1].startswith("zeta")


def test_the_readme_shows_what_a_mistake_really_looks_like(
    weft: Weft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "canary.yaml").write_text(
        "apiVersion: networking.istio.io/v1\n"
        "kind: VirtualService\n"
        "metadata:\n"
        "  name: reviews\n"
        "  namespace: shop\n"
        "spec:\n"
        "  hosts: [reviews]\n"
        "  http:\n"
        "    - route:\n"
        "        - destination:\n"
        "            host: reviews\n"
        "      timeot: 3s\n"
    )
    monkeypatch.chdir(tmp_path)
    done = weft("apply", "-f", "canary.yaml")
    assert done.code == 1
    assert f"```\n{done.err}```\n" in (Path(__file__).parents[2] / "README.md").read_text()
