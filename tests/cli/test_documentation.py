"""What the pages tell users to type and to write is right: every command, every option, every document."""

import re
import shlex
from collections.abc import Iterator
from itertools import dropwhile, takewhile
from pathlib import Path

import click
import pytest
import yaml

from tests.cli.conftest import Running, run_weft, serving
from weft.cli.check_files import findings_of
from weft.cli.main import loaded, weft
from weft.cli.manifests import Source, parsed
from weft.model.finding import Severity

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples/shop/README.md")
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SHELL = ("", "sh", "console")
_FOREIGN = "W0126"
"""A kind of Kubernetes that weft does not serve: pages about it have some."""
_INNER = re.compile(r'"?\$\(weft ([^)]*)\)"?')
_ENDS = ("|", ";", "&", "&&", ">", "2>", "<")


def blocks(page: Path, *languages: str) -> Iterator[str]:
    return (body for language, body in _FENCE.findall(page.read_text()) if language in languages)


def commands(page: Path) -> Iterator[list[str]]:
    """The words after ``weft`` of every command in the page's blocks."""
    for block in blocks(page, *_SHELL):
        for line in block.replace("\\\n", " ").splitlines():
            for inner in _INNER.findall(line):
                yield inner.split()
            yield from _of_line(_INNER.sub("X", line))


def _of_line(line: str) -> Iterator[list[str]]:
    """One after the other, without what comes after ``#`` and what is for the shell."""
    lexer = shlex.shlex(re.sub(r"^[$#] ", "", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, "#"
    try:
        words = list(lexer)
    except ValueError:
        return
    while "weft" in words:
        rest = words[words.index("weft") + 1 :]
        begins = words.index("weft") == 0 or words[words.index("weft") - 1] in _ENDS
        words = list(dropwhile(lambda word: word not in _ENDS, rest))
        if begins:
            yield list(takewhile(lambda word: word not in _ENDS, rest))


def parse(words: list[str], command: click.Command = weft, parent: click.Context | None = None) -> None:
    """Read them as the command would, without doing it; files that are named need not be there."""
    command = loaded(command)
    try:
        context = command.make_context("weft", list(words), parent=parent)
    except click.BadParameter as wrong:
        if wrong.param is None or not isinstance(wrong.param.type, click.Path | click.File):
            raise
        return
    rest = [*context._protected_args, *context.args]
    if isinstance(command, click.Group) and rest:
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        parse(rest, found, context)


EVERY = [(page, words) for page in PAGES for words in commands(page)]


def test_the_pages_have_commands() -> None:
    assert len(EVERY) > 100


@pytest.mark.parametrize(("page", "words"), EVERY, ids=[f"{page.stem}-{' '.join(words)}"[:90] for page, words in EVERY])
def test_a_command_of_a_page_can_be_given(page: Path, words: list[str]) -> None:
    parse(words)


DOCUMENTS = [(page, number, body) for page in PAGES for number, body in enumerate(blocks(page, "yaml"))]


@pytest.mark.parametrize(("page", "number", "body"), DOCUMENTS, ids=[f"{one[0].stem}-{one[1]}" for one in DOCUMENTS])
def test_the_documents_of_a_page_are_taken(page: Path, number: int, body: str) -> None:
    every = [one for one in yaml.safe_load_all(body) if isinstance(one, dict)]
    if not all({"apiVersion", "kind"} <= one.keys() for one in every):
        return
    manifests = tuple(parsed(Source(name=f"{page.name} block {number}", text=body)))
    found = [one for one, _ in findings_of(manifests, "shop", together=False) if one.severity is Severity.ERROR]
    assert not [one.message for one in found if one.code != _FOREIGN]


READS = ("stat", "edges", "graph", "query", "trace", "slo", "events", "limits", "breaker list", "get", "ca", "audit",
         "auth whoami", "auth can-i", "auth token list", "check", "report", "proxy status", "routes", "logs",
         "explain", "rules", "dashboards", "version")  # fmt: skip
"""Commands that can be given to any mesh, and change nothing that others need."""
ENDLESS = {"-w", "--watch", "-f", "--follow"}
CHANGES = {"rotate", "abort", "drop", "revoke", "unrevoke", "export-root", "request-intermediate", "sign-intermediate",
           "install-intermediate", "create", "start", "stop"}  # fmt: skip
READ = sorted({tuple(words) for _, words in EVERY if " ".join(words).startswith(READS) and not ENDLESS & {*words}})
_ERROR = re.compile(r"^error: .*[^.]$", re.MULTILINE)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("state")) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEFT_STATE", str(running.state.root))
        yield running


@pytest.mark.parametrize("words", [one for one in READ if not CHANGES & {*one}], ids=" ".join)
def test_a_command_of_a_page_answers_or_says_what_is_not_there(
    words: tuple[str, ...], plane: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jane.token").write_text(plane.state.admin_token.read_text())
    done = run_weft(*(str(tmp_path / "out") if word.startswith("/etc/") else word for word in words))
    assert done.code in (0, 4), done.err
    assert "Traceback" not in done.err
    assert done.code != 4 or _ERROR.search(done.err), done.err
