"""Sessions that stay at one endpoint."""

from weft.dialects.findings import Findings, Here
from weft.dialects.gateway_api.checks.common import check_header_name, check_time
from weft.dialects.gateway_api.types import http_route as wire


def check_session(here: Here, session: wire.SessionPersistence | None) -> Findings:
    """A cookie or a header, and how long a session lasts."""
    if session is None:
        return
    yield from check_time(here.at("absoluteTimeout"), session.absolute_timeout)
    if session.idle_timeout is not None:
        yield here.at("idleTimeout").unserved("an end of sessions that are idle", "use absoluteTimeout")
    yield from _check_carrier(here, session)
    yield from _check_end(here, session)


def _check_carrier(here: Here, session: wire.SessionPersistence) -> Findings:
    cookie = session.cookie or session.cookie_config
    in_header = session.type == "Header"
    if in_header and session.header is None and session.session_name is None:
        yield here.error("W0105", "a session in a header needs header.name", "add it")
    if (cookie if in_header else session.header) is not None:
        place = here.at("cookie" if in_header else "header")
        yield place.error("W0106", "a session is either in a cookie or in a header", at_key=True)
    if cookie is not None and cookie.name is not None:
        yield from check_header_name(here.at("cookie", "name"), cookie.name)
    if session.header is not None:
        yield from check_header_name(here.at("header", "name"), session.header.name)


def _check_end(here: Here, session: wire.SessionPersistence) -> Findings:
    cookie = session.cookie or session.cookie_config
    permanent = cookie is not None and cookie.lifetime_type == "Permanent"
    if permanent and session.absolute_timeout is None:
        yield here.error("W0105", "a cookie that outlives the browser needs absoluteTimeout", "add absoluteTimeout")
    if session.absolute_timeout is not None and not permanent:
        advice = "use cookie.lifetimeType: Permanent"
        yield here.at("absoluteTimeout").warning("W0128", "it ends no session of the browser's", advice, at_key=True)
