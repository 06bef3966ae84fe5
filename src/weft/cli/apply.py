"""``weft apply``: server-side apply of the documents in files, all or nothing as far as a check can tell."""

from collections.abc import Sequence

import click
import msgspec

from weft.cli.client import Client, Refused
from weft.cli.connection import Connection, connected
from weft.cli.errors import Told
from weft.cli.findings import tell
from weft.cli.kinds import Kinds
from weft.cli.located import Located, located
from weft.cli.manifests import Manifest, manifests_of, with_files
from weft.cli.talk import coloured, give, say
from weft.kit.errors import Missing, UserError
from weft.model.document import Key
from weft.model.finding import Finding, Severity

APPLY = {"Content-Type": "application/apply-patch+yaml"}
_SETTLE = "5"


class Outcome(msgspec.Struct):
    """What one write did and the revision that it made; ``before`` is the one that it found, if any."""

    before: str | None
    word: str
    revision: int
    warnings: tuple[str, ...]


@click.command()
@with_files
@click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="For documents that name none.")
@click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
@click.option("--force-conflicts", is_flag=True, help="Take over fields that others manage.")
@connected
def command(
    connection: Connection,
    names: tuple[str, ...],
    recursive: bool,
    namespace: str,
    dry_run: bool,
    force_conflicts: bool,
) -> None:
    """Create or change documents from files.

    Every document is checked first: if one is refused, none is changed.
    """
    manifests = manifests_of(names, recursive=recursive)
    with Client(connection) as client:
        documents = located(manifests, Kinds(client), namespace)
        checked = _check(client, documents, force=force_conflicts)
        if dry_run:
            _tell_outcomes(documents, checked, " (dry run)")
            return
        pairs = zip(documents, checked, strict=True)
        done = [_write(client, document, was.before, force=force_conflicts) for document, was in pairs]
        _tell_outcomes(documents, done)
        _tell_findings(client, documents, max(outcome.revision for outcome in done))


def _check(client: Client, documents: Sequence[Located], *, force: bool) -> list[Outcome]:
    """A dry run of every document; tells what is refused and ends the command if anything is."""
    outcomes: list[Outcome] = []
    refused = 0
    for document in documents:
        try:
            outcomes.append(_apply(client, document, _revision(client, document), force=force, dry_run=True))
        except Refused as refusal:
            refused += 1
            told_refusal(refusal, document.manifest)
    if refused:
        say(f"{coloured('error')}: nothing was changed, {refused} of {len(documents)} documents refused")
        raise Told
    return outcomes


def _write(client: Client, document: Located, before: str | None, *, force: bool) -> Outcome:
    try:
        return _apply(client, document, before, force=force)
    except Refused as refusal:
        told_refusal(refusal, document.manifest)
        raise UserError(
            f"{document} was refused though it passed the check",
            help="somebody else changed something at the same time; apply again",
        ) from None


def _apply(client: Client, document: Located, before: str | None, *, force: bool, dry_run: bool = False) -> Outcome:
    params = {"fieldManager": "weft"} | ({"force": "true"} if force else {}) | ({"dryRun": "All"} if dry_run else {})
    content = msgspec.json.encode(document.content)
    answer = client.ask("PATCH", document.path, content=content, headers=APPLY, params=params)
    revision = answer.json()["metadata"].get("resourceVersion", "0")
    word = "created" if before is None else "unchanged" if revision == before else "configured"
    return Outcome(before=before, word=word, revision=int(revision), warnings=tuple(answer.headers.get_list("warning")))


def _revision(client: Client, document: Located) -> str | None:
    try:
        found: str = client.get(document.path)["metadata"]["resourceVersion"]
    except Missing:
        return None
    return found


def told_refusal(refusal: Refused, manifest: Manifest) -> None:
    """Tell why a document was refused."""
    findings = refusal.findings or (Finding(code="W0001", message=refusal.message, help=refusal.help or ""),)
    tell((finding, manifest) for finding in findings)


def _tell_outcomes(documents: Sequence[Located], outcomes: Sequence[Outcome], suffix: str = "") -> None:
    for document, outcome in zip(documents, outcomes, strict=True):
        give(f"{document} {outcome.word}{suffix}")
        if suffix:
            for warning in outcome.warnings:
                say(f"{coloured('warning')}: {warning}")


def _tell_findings(client: Client, documents: Sequence[Located], revision: int) -> None:
    """What the whole mesh now has to say about the documents; asked once all of them are in."""
    found = msgspec.convert(client.get("/weft/v1/findings", revision=str(revision)), FindingList).findings
    mine: dict[Key | None, Manifest] = {document.key: document.manifest for document in documents}
    tell(
        (finding, mine[finding.document])
        for finding in found
        if finding.document in mine and finding.severity is not Severity.NOTE
    )


class FindingList(msgspec.Struct):
    """The answer of ``/weft/v1/findings``."""

    findings: tuple[Finding, ...]
