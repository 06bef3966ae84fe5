"""What an application may read otherwise than a policy did, and so is denied where a policy reads it.

Source: Envoy forwards two host headers joined by a comma, ``@`` in hosts, lower-case methods over HTTP/2, and does not
resolve ``..;`` in paths once it was decoded. Where slashes are merged and escaped ones refused before, connections made
before that was so are told by the same signs.
"""

from collections.abc import Sequence

from weft.compiler.access import inputs
from weft.compiler.access.conditions import Port
from weft.compiler.access.entries import Entry
from weft.compiler.access.predicates import expression, text
from weft.model.authorization import PEER, Attribute
from weft.view.access import Guards

_HOST = r"(?s).*[, \t@].*|"
_METHOD = "(?s).*[a-z].*"
_PARAMETERS = r"[^?#]*/\.\.?;.*"
_SLASHES = r"[^?#]*(?://|%2[fF]|%5[cC]).*"
_CALLER = ".*,.*"


def ambiguities(guards: Guards, port: Port, *, merges_slashes: bool) -> Sequence[Entry]:
    """Rules that deny, each for an attribute that a policy reads."""
    if not guards.hardened:
        return []
    found = []
    if port.tls and guards.reads(*PEER):
        found.append(Entry("ambiguous-caller", text(inputs.CALLER, expression(_CALLER))))
    if port.bytes_only:
        return found
    if guards.reads(Attribute.HOST):
        found.append(Entry("ambiguous-host", text(inputs.AUTHORITY, expression(_HOST))))
    if guards.reads(Attribute.METHOD):
        found.append(Entry("ambiguous-method", text(inputs.METHOD, expression(_METHOD))))
    if guards.reads(Attribute.PATH):
        signs = f"{_PARAMETERS}|{_SLASHES}" if merges_slashes else _PARAMETERS
        found.append(Entry("ambiguous-path", text(inputs.PATH, expression(signs))))
    return found
