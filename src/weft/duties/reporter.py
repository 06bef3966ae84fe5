"""Writes what the mesh found into the status of the documents, through ``store.report``.

Stands beside the pipeline because it writes: of several control planes only the leader runs it. A status changes no
fragment, so the mesh after a report has the findings that were reported, and the next round has nothing to say.
"""

import asyncio
from collections.abc import Iterable

import structlog

from weft.kit.latest import Latest
from weft.kit.value import Value
from weft.model.document import Key
from weft.model.finding import Finding
from weft.model.mesh import Mesh
from weft.model.standing import Standing
from weft.store.source import Report, Store, StoreUnavailable

_log = structlog.get_logger()
_MARK = b'"Accepted"'
_BATCH = 500

Findings = tuple[Finding, ...]


class ReportPace(Value):
    """Seconds: the window in which meshes are collected, and the pause before an absent store is asked again."""

    window: float = 0.5
    pause: float = 5.0


class _Told(Value):
    """What a document was told, and its revision after that: another one may say something else."""

    findings: Findings
    revision: int
    standing: Standing | None = None


class Reporter:
    """Reports the findings of every newest mesh of ``latest``."""

    def __init__(self, store: Store, latest: Latest[Mesh], pace: ReportPace | None = None) -> None:
        self._store = store
        self._latest = latest
        self._pace = pace or ReportPace()
        self._told: dict[Key, _Told] = {}

    async def run(self) -> None:
        """Report until cancelled."""
        await self._latest.first()
        await self._recall()
        async for mesh in self._latest:
            await self._report(mesh)
            await asyncio.sleep(self._pace.window)

    async def _recall(self) -> None:
        """Look again at every document that was told something by an earlier run."""
        for document in (await self._store.snapshot()).documents:
            if _MARK in document.content:
                self._told[document.key] = _Told(findings=(), revision=-1)

    async def _report(self, mesh: Mesh) -> None:
        """Tell every document that there is news about; the newest mesh again when the store was away."""
        newest: Mesh | None = mesh
        while newest is not None:
            try:
                await self._tell(by_document(newest.findings), {one.key: one for one in newest.standings})
                return
            except StoreUnavailable as away:
                _log.warning("findings cannot be written", reason=str(away), retry_in=self._pace.pause)
                await asyncio.sleep(self._pace.pause)
                newest = self._latest.value

    async def _tell(self, found: dict[Key, Findings], standings: dict[Key, Standing]) -> None:
        reports = (
            Report(key=key, findings=() if key in standings else found.get(key, ()), standing=standings.get(key))
            for key in {**self._told, **found, **standings}
        )
        news = [report for report in reports if await self._is_news(report)]
        for start in range(0, len(news), _BATCH):
            batch = news[start : start + _BATCH]
            await self._write(tuple(batch))
            for report in batch:
                await self._remember(report)

    async def _write(self, reports: tuple[Report, ...]) -> None:
        try:
            await self._store.report(reports)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001  the boundary that loses a few reports and keeps the control plane
            _log.exception("findings cannot be written", documents=len(reports), help="please report it")

    async def _is_news(self, report: Report) -> bool:
        told, document = self._told.get(report.key), await self._store.read(report.key)
        if document is None:
            self._told.pop(report.key, None)
            return False
        return told is None or told != _told(report, document.revision)

    async def _remember(self, report: Report) -> None:
        document = await self._store.read(report.key)
        if document is None:
            self._told.pop(report.key, None)
        else:
            self._told[report.key] = _told(report, document.revision)


def _told(report: Report, revision: int) -> _Told:
    return _Told(findings=report.findings, revision=revision, standing=report.standing)


def by_document(findings: Iterable[Finding]) -> dict[Key, Findings]:
    """Findings by the document that they are about, in a steady order; those about none are nobody's status."""
    found: dict[Key, dict[Finding, None]] = {}
    for finding in findings:
        if finding.document is not None:
            found.setdefault(finding.document, {})[finding] = None
    return {key: tuple(listed) for key, listed in found.items()}
