"""Entries as a matcher: found through maps of paths and callers where there are many, one by one where there are few.

An entry in no map is asked after those in maps, so none is left out. Which of several entries that match is named does
not matter: they do the same. A map of callers finds only the first of several identities, so where a rule means them
all (``wide``), a caller with several is taken for one whom the rules in the map mean.
"""

from collections.abc import Callable, Sequence

from weft._pb.xds.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.xds.type.matcher.v3.matcher_pb2 import Matcher
from weft.compiler.access import inputs
from weft.compiler.access.entries import Entry
from weft.compiler.access.predicates import Predicate

OnMatch = Matcher.OnMatch
Doing = Callable[[str], OnMatch]
_Keys = Callable[[Entry], tuple[str, ...] | None]

_FEW = 3
"""So many entries are looked at one by one: a map costs as much."""


def matcher_of(entries: Sequence[Entry], doing: Doing, otherwise: OnMatch | None, *, wide: bool) -> Matcher:
    """The first of the entries that match is done, ``otherwise`` when none does. ``wide`` as the entries are read."""
    always = next((entry for entry in entries if entry.predicate is True), None)
    if always is not None:
        return Matcher(on_no_match=doing(always.name))
    return _Trees(doing, wide).tree(list(entries), otherwise, _WAYS)


def nested(matcher: Matcher) -> OnMatch:
    """What goes on with another matcher."""
    return OnMatch(matcher=matcher)


def _paths(entry: Entry) -> tuple[str, ...] | None:
    return entry.paths


def _callers(entry: Entry) -> tuple[str, ...] | None:
    return entry.callers


_Way = tuple[TypedExtensionConfig, _Keys]
_WAYS: tuple[_Way, ...] = ((inputs.PATH, _paths), (inputs.CALLER, _callers))


class _Trees:
    """Makes the matchers of entries that all do the same."""

    def __init__(self, doing: Doing, wide: bool) -> None:
        self._doing = doing
        self._wide = wide

    def tree(self, entries: list[Entry], otherwise: OnMatch | None, ways: Sequence[_Way]) -> Matcher:
        """``ways`` are those by which the entries were not parted yet."""
        chosen = max(ways, key=lambda way: _gain(entries, way[1]), default=None)
        if len(entries) <= _FEW or chosen is None or _gain(entries, chosen[1]) <= _FEW:
            return self._list(entries, otherwise)
        source, keys_of = chosen
        left = [way for way in ways if way is not chosen]
        keyed = [entry for entry in entries if keys_of(entry)]
        rest = [entry for entry in entries if not keys_of(entry)]
        if self._wide and source is inputs.CALLER:
            rest.insert(0, Entry(keyed[0].name, inputs.SEVERAL_CALLERS))
        matcher = Matcher(matcher_tree=Matcher.MatcherTree(input=source))
        found = matcher.matcher_tree.prefix_match_map.map
        for key, group in sorted(_groups(keyed, keys_of).items()):
            found[key].matcher.CopyFrom(self.tree(group, None, left))
        if rest:
            matcher.on_no_match.matcher.CopyFrom(self.tree(rest, otherwise, left))
        elif otherwise is not None:
            matcher.on_no_match.CopyFrom(otherwise)
        return matcher

    def _list(self, entries: Sequence[Entry], otherwise: OnMatch | None) -> Matcher:
        matcher = Matcher()
        for entry in entries:
            assert isinstance(entry.predicate, Predicate)
            matcher.matcher_list.matchers.add(predicate=entry.predicate, on_match=self._doing(entry.name))
        if otherwise is not None:
            matcher.on_no_match.CopyFrom(otherwise)
        return matcher


def _gain(entries: Sequence[Entry], keys_of: _Keys) -> int:
    """How many entries need not be looked at one by one."""
    return len({key for entry in entries for key in keys_of(entry) or ()})


def _groups(entries: Sequence[Entry], keys_of: _Keys) -> dict[str, list[Entry]]:
    """The entries of each key, with those of the keys that it begins with: Envoy goes to the longest."""
    every = {key for entry in entries for key in keys_of(entry) or ()}
    groups: dict[str, list[Entry]] = {key: [] for key in every}
    longer: dict[str, list[str]] = {key: [] for key in every}
    for key in every:
        for end in range(1, len(key) + 1):
            if key[:end] in longer:
                longer[key[:end]].append(key)
    for entry in entries:
        for place in dict.fromkeys(one for key in keys_of(entry) or () for one in longer[key]):
            groups[place].append(entry)
    return groups
