"""What an application may read otherwise than a policy did, and so is denied where a policy reads it.

Source: Envoy forwards two host headers joined by a comma, ``@`` in hosts, and does not resolve ``..;`` in paths once it
was decoded. Where slashes are merged and escaped ones refused before, connections made before that was so are told by
the same signs.

Every request pays for these, and what Envoy looks at it fetches anew for every look: one expression says all that makes
a path ambiguous. Hosts are looked at part by part all the same: they can be of any bytes, and an expression matches
none that are not UTF-8. What a condition can tell by itself, methods in lower case and callers with several identities,
it does (``conditions``).
"""

from collections.abc import Sequence

from weft._pb.xds.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.xds.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.access import inputs
from weft.compiler.access.conditions import Port
from weft.compiler.access.entries import Entry
from weft.compiler.access.predicates import Truth, any_of, expression, text
from weft.model.authorization import Attribute
from weft.view.access import Guards

_PARAMETERS = r"/\.\.?;"
_SLASHES = r"//|%2[fF]|%5[cC]"


def ambiguities(guards: Guards, port: Port, *, merges_slashes: bool) -> Sequence[Entry]:
    """Rules that deny, each for an attribute that a policy reads."""
    if not guards.hardened or port.bytes_only:
        return []
    found = []
    if guards.reads(Attribute.HOST):
        empty = text(inputs.AUTHORITY, StringMatcher(exact=""))
        found.append(Entry("ambiguous-host", any_of((empty, _has(inputs.AUTHORITY, *", \t@")))))
    if guards.reads(Attribute.PATH):
        found += _paths(merges_slashes)
    return found


def _paths(merges_slashes: bool) -> list[Entry]:
    signs = f"{_PARAMETERS}|{_SLASHES}" if merges_slashes else _PARAMETERS
    return [Entry("ambiguous-path", text(inputs.PATH, expression(f"[^?#]*(?:{signs}).*")))]


def _has(source: TypedExtensionConfig, *parts: str) -> Truth:
    return any_of(text(source, StringMatcher(contains=part)) for part in parts)
