"""What a user can get wrong: a clear error with its place, nothing changed, nothing else disturbed."""

from pathlib import Path

import pytest

from tests.cli.conftest import Weft

GOOD = """\
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec:
  selector: {app: reviews}
  ports: [{name: http, port: 9080}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets:
    - {name: v1, labels: {version: v1}}
    - {name: v2, labels: {version: v2}}
---
"""

ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: reviews}}
spec:
  hosts: [reviews]
  http:
    - route:
        - destination: {{host: reviews, subset: v1}}
          weight: {first}
        - destination: {{host: {host}, subset: v2}}
          weight: {second}
{more}"""


def route(*, first: object = 90, second: object = 10, host: str = "reviews", more: str = "") -> str:
    """A VirtualService with something odd in it."""
    return ROUTE.format(first=first, second=second, host=host, more=more)


BOMB = "\n".join(
    [
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]",
        *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)),
    ]
)

ERRORS = {
    "truncated": (route()[:230], "W0001", "not valid YAML"),
    "alias bomb": (BOMB, "W0003", "aliases of the document stand for more than"),
    "duplicate key": (route(more="  hosts: [ratings]\n"), "W0002", 'the key "hosts" is there twice'),
    "10 MB": (route() + "# " + "x" * 10_000_000, "W0003", "more than the 4 MiB that are read"),
    "wrong type": (route(first="ninety"), "W0102", "ninety"),
    "unknown field": (route(more="      timeot: 3s\n"), "W0101", "timeout"),
    "bad regex": (route(more='      match: [{uri: {regex: "(a"}}]\n'), "W0109", "(a"),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("command", ["apply", "analyze"])
def test_a_mistake_is_told_with_its_place_and_changes_nothing(
    command: str, name: str, weft: Weft, tmp_path: Path
) -> None:
    text, code, words = ERRORS[name]
    namespace = f"bad-{name.replace(' ', '-').lower()}"
    file = tmp_path / "shop.yaml"
    file.write_text(GOOD + text)
    done = weft(command, "-n", namespace, "-f", str(file))
    assert done.code == 1
    assert f"error[{code}]: " in done.err
    assert words in done.err
    assert f"--> {file}:" in done.err
    assert "^" in done.err
    assert "Traceback" not in done.err
    assert weft("get", "services", "-n", namespace, "-o", "name").out == ""
    assert weft("get", "services", "-A").code == 0


def test_the_caret_of_an_unknown_field_is_under_its_name(weft: Weft, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(route(more="      timeot: 3s\n"))
    done = weft("apply", "-f", str(file))
    assert f"--> {file}:12:7  (spec.http[0].timeot)" in done.err
    assert "12 |       timeot: 3s\n   |       ^^^^^^\n" in done.err


WARNINGS = {
    "weights": (route(first=60, second=50), "W0103", "110"),
    "unknown host": (route(host="revews"), "W0201", "revews"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_what_can_be_served_is_served_with_a_warning_at_its_place(name: str, weft: Weft, tmp_path: Path) -> None:
    text, code, words = WARNINGS[name]
    namespace = f"warned-{name.replace(' ', '-')}"
    file = tmp_path / "shop.yaml"
    file.write_text(GOOD + text)
    applied = weft("apply", "-n", namespace, "-f", str(file))
    assert applied.code == 0
    assert applied.out.splitlines()[-1] == "virtualservice.networking.istio.io/reviews created"
    for done in (applied, weft("analyze", "-n", namespace, "-f", str(file))):
        assert done.code == 0
        assert f"[{code}]: " in done.err
        assert words in done.err
        assert f"--> {file}:" in done.err
        assert "^" in done.err
    assert weft("analyze", "--strict", "-n", namespace, "-f", str(file)).code == 3


def test_two_documents_in_conflict_are_both_stored_and_the_younger_is_told(weft: Weft, tmp_path: Path) -> None:
    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    first.write_text(GOOD + route())
    second.write_text(route().replace("name: reviews}", "name: zeta}", 1))
    assert weft("apply", "-n", "conflict", "-f", str(first)).err == ""
    done = weft("apply", "-n", "conflict", "-f", str(second))
    assert done.code == 0
    assert "[W0203]: " in done.err
    assert f"--> {second}:" in done.err
    names = weft("get", "vs", "-n", "conflict", "-o", "name").out.split()
    assert [name.rpartition("/")[2] for name in names] == ["reviews", "zeta"]


def test_the_same_document_twice_in_one_call_is_refused(weft: Weft, tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text(route() + "---\n" + route())
    for command in ("apply", "analyze"):
        done = weft(command, "-n", "twice", "-f", str(file))
        assert done.code == 1
        assert "error[W0117]: " in done.err
    assert weft("get", "vs", "-n", "twice", "-o", "name").out == ""


def test_one_bad_document_among_many_keeps_all_of_them_out(weft: Weft, tmp_path: Path) -> None:
    for number in range(5):
        text = route(more="      timeot: 3s\n" if number == 3 else "")
        (tmp_path / f"{number}.yaml").write_text(text.replace("name: reviews}", f"name: r{number}}}", 1))
    done = weft("apply", "-n", "many", "-f", str(tmp_path))
    assert done.code == 1
    assert f"--> {tmp_path}/3.yaml:12:7" in done.err
    assert done.err.endswith("nothing was changed, 1 of 5 documents refused\n")
    assert weft("get", "vs", "-n", "many", "-o", "name").out == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("just text", "a document must be a mapping"),
        ("kind: VirtualService\nmetadata: {name: a}", "needs apiVersion"),
        ("apiVersion: v1\nkind: Service", "needs metadata.name"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}", "kind Pod of v1 is not served"),
        ("", "there are no documents in"),
        ("# nothing\n---\n", "there are no documents in"),
    ],
)
@pytest.mark.parametrize("command", ["apply", "analyze", "delete"])
def test_what_is_no_document_is_told(command: str, text: str, words: str, weft: Weft) -> None:
    done = weft(command, "-f", "-", stdin=text)
    assert done.code == 1
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_file_that_is_not_there_is_named(offline: Weft, tmp_path: Path) -> None:
    done = offline("analyze", "-f", str(tmp_path / "none.yaml"))
    assert done.code == 1
    assert done.err == f"error: there is no file {tmp_path}/none.yaml\nhelp: check -f\n"


def test_a_file_that_is_not_text_is_told(offline: Weft, tmp_path: Path) -> None:
    file = tmp_path / "picture.yaml"
    file.write_bytes(b"\x89PNG\xff\xfe")
    done = offline("analyze", "-f", str(file))
    assert done.code == 1
    assert "is not UTF-8 text" in done.err
