"""What is answered to a question: by the table, or by others. Answers are packed once and kept.

A name of the mesh that has nothing of the kind that is asked for exists all the same (NODATA); one that should be the
mesh's and is not there does not (NXDOMAIN), unless others know the mesh's domain as well; all other names are others'.
"""

from weft.agent.dns import message
from weft.agent.dns.message import Malformed, Question, Record
from weft.agent.dns.table import Known, NameTable
from weft.kit.value import Value

_LASTING, _PASSING, _NOTHING = 30, 5, 10
"""Seconds for which clients may keep addresses of services, of pods, and that there is nothing."""
_KEPT = 4_096
_MOST_TURNS = 8


class Elsewhere(Value):
    """A question that others answer; ``alias``: the name of the mesh that is asked for stands for one of theirs."""

    question: Question
    alias: str = ""


_Responses = tuple[bytes, ...]
"""A response, once for each order of its records."""


class Answering:
    """Answers from the newest table."""

    def __init__(self, search: tuple[str, ...] = ()) -> None:
        """``search`` are the domains that the host's programs try after a short name."""
        self._search = tuple(f".{domain.lower().strip('.')}" for domain in search if domain.strip("."))
        self._table: NameTable | None = None
        self._kept: dict[tuple[bytes, int, bool], _Responses] = {}
        self._turn = 0

    def use(self, table: NameTable) -> None:
        """Answer from this table from now on."""
        self._table = table
        self._kept.clear()

    def answer(self, query: bytes, *, udp: bool) -> bytes | Elsewhere:
        """The response; ``b""`` where nothing is answered."""
        try:
            question = message.read(query)
        except Malformed as wrong:
            return message.refusal(query, wrong.code)
        size = question.size if udp else message.LARGEST
        key = (question.wire, size, question.edns)
        turns = self._kept.get(key)
        if turns is None:
            found = self._found(question)
            if isinstance(found, Elsewhere):
                return found
            turns = tuple(message.fitting(one, question, size) for one in found)
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[key] = turns
        self._turn += 1
        return message.stamped(turns[self._turn % len(turns)], query)

    def _found(self, question: Question) -> _Responses | Elsewhere:
        table = self._table
        if table is None:
            return Elsewhere(question=question)
        known = self._look_up(table, question.name)
        if known is None:
            if not table.owns(question.name) or self._others_know(table):
                return Elsewhere(question=question)
            return (message.answer(question, (), code=message.NXDOMAIN, authority=(_nothing(table, question),)),)
        if known.alias:
            return self._aliased(table, known.alias, question)
        return _packed(question, known, table)

    def _aliased(self, table: NameTable, alias: str, question: Question) -> _Responses | Elsewhere:
        """What a name stands for may be in the mesh as well."""
        found = self._look_up(table, alias.lower().rstrip("."))
        if found is None or found.alias:
            return Elsewhere(question=question, alias=alias)
        records, _ = _records(question.kind, found, _PASSING, owner=alias)
        return (message.answer(question, (message.alias(alias, _PASSING), *records)),)

    def _look_up(self, table: NameTable, name: str) -> Known | None:
        """The name, or without a domain that the host's programs try after short ones."""
        found = table.find(name)
        for domain in self._search if found is None else ():
            if name.endswith(domain) and (found := table.find(name.removesuffix(domain))) is not None:
                return found
        return found

    def _others_know(self, table: NameTable) -> bool:
        """In Kubernetes, the host's resolvers know services that the mesh does not."""
        return any(domain.endswith(f".{table.suffix}") for domain in self._search)


def _packed(question: Question, known: Known, table: NameTable) -> _Responses:
    records, additional = _records(question.kind, known, _LASTING if known.lasting else _PASSING)
    if not records:
        return (message.answer(question, (), authority=(_nothing(table, question),)),)
    turns = [records[at:] + records[:at] for at in range(min(len(records), _MOST_TURNS))]
    return tuple(message.answer(question, one, additional=additional) for one in turns)


def _nothing(table: NameTable, question: Question) -> Record:
    """For how long there is nothing: by the mesh's zone, or by the name itself, which is of no zone here."""
    zone = table.suffix if table.owns(question.name) else question.name
    return message.start_of_authority(zone, _NOTHING)


def _records(kind: int, known: Known, ttl: int, owner: str = "") -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """The answers, and what will be asked for next."""
    if kind == message.SRV:
        targets = known.targets
        records = tuple(message.service(one.name, one.port, ttl) for one in targets)
        return records, tuple(message.address(text, ttl, one.name) for one in targets for text in one.addresses)
    addresses = (message.address(one, ttl, owner) for one in known.addresses)
    return tuple(one for one in addresses if kind in (one.kind, message.ANY)), ()
