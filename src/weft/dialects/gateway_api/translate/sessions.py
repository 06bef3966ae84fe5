"""Sessions that stay at one endpoint."""

from weft.dialects.gateway_api.types import http_route as wire
from weft.dialects.served import Subject
from weft.dialects.syntax import milliseconds
from weft.model.route import Session


def session_of(session: wire.SessionPersistence | None, rule: int, subject: Subject) -> Session | None:
    """What carries the sessions of a rule; a cookie without a name has one of its own for each rule."""
    if session is None:
        return None
    cookie = session.cookie or session.cookie_config or wire.CookieConfig()
    given = session.header.name if session.header else cookie.name
    permanent = cookie.lifetime_type == "Permanent"
    return Session(
        name=given or session.session_name or f"weft-{subject.namespace}-{subject.key.name}-{rule}",
        header=session.type == "Header",
        path=cookie.path or "/",
        ttl=milliseconds(session.absolute_timeout) if permanent else None,
    )
