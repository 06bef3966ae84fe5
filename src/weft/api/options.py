"""Query parameters as values: what a read asks for, how a write is meant."""

from enum import Enum

from starlette.datastructures import QueryParams

from weft.api.errors import bad_request
from weft.api.objects import parse_revision
from weft.api.selectors import Selector, parse_selector
from weft.api.subjects import Subject
from weft.kit.value import Value

_DEFAULT_WATCH = 3600
_MAX_LIMIT = 1_000_000


class Match(Enum):
    """``resourceVersionMatch``."""

    UNSET = ""
    EXACT = "Exact"
    NOT_OLDER = "NotOlderThan"


class ReadOptions(Value):
    """Of list, watch and deletecollection. ``revision`` is ``None`` for unset; times are seconds, limit 0 is none."""

    selector: Selector = Selector()
    limit: int = 0
    token: str = ""
    revision: int | None = None
    match: Match = Match.UNSET
    watch: bool = False
    bookmarks: bool = False
    initial_events: bool | None = None
    timeout: int = _DEFAULT_WATCH

    @property
    def exact(self) -> bool:
        """Whether the list must be that of ``revision`` itself; with a limit that is the default."""
        asked = self.match is Match.EXACT or (self.match is Match.UNSET and self.limit > 0)
        return asked and bool(self.revision)


class WriteOptions(Value):
    """Of create, update and patch. ``manager`` names the client's program, ``author`` who is behind it."""

    author: Subject = Subject(name="")
    dry_run: bool = False
    manager: str = ""
    force: bool = False


def read_options(query: QueryParams, other_fields: tuple[str, ...] = ()) -> ReadOptions:
    """Of list, watch and deletecollection. Raises ``ApiError`` 400."""
    text = query.get("resourceVersion", "")
    options = ReadOptions(
        selector=parse_selector(query.get("labelSelector", ""), query.get("fieldSelector", ""), other_fields),
        limit=_number(query, "limit", 0, _MAX_LIMIT),
        token=query.get("continue", ""),
        revision=parse_revision(text) if text else None,
        match=_match(query.get("resourceVersionMatch", "")),
        watch=_flag(query, "watch") or False,
        bookmarks=_flag(query, "allowWatchBookmarks") or False,
        initial_events=_flag(query, "sendInitialEvents"),
        timeout=_number(query, "timeoutSeconds", _DEFAULT_WATCH, 86_400) or _DEFAULT_WATCH,
    )
    _refuse_contradictions(options)
    return options


def _refuse_contradictions(options: ReadOptions) -> None:
    matched = options.match is not Match.UNSET
    if options.initial_events is not None and not options.watch:
        raise bad_request("sendInitialEvents is forbidden for list")
    if options.watch:
        if options.initial_events is not None and options.match is not Match.NOT_OLDER:
            raise bad_request("sendInitialEvents requires resourceVersionMatch=NotOlderThan")
        if options.initial_events is None and matched:
            raise bad_request("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
        return
    if matched and options.token:
        raise bad_request("resourceVersionMatch is forbidden when continue is provided")
    if matched and options.revision is None:
        raise bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if options.match is Match.EXACT and options.revision == 0:
        raise bad_request('resourceVersionMatch Exact is forbidden for resourceVersion "0"')
    if options.token and options.revision:
        raise bad_request("specifying resource version is not allowed when using continue")


def write_options(query: QueryParams, agent: str) -> WriteOptions:
    """Of create, update and patch; ``agent`` is the client's ``User-Agent``, which names it if nothing else does.

    ``fieldValidation`` is checked and otherwise without effect: an unknown field is always refused.
    """
    _flag(query, "pretty")
    if query.get("fieldValidation", "") not in ("", "Strict", "Warn", "Ignore"):
        raise bad_request("fieldValidation must be Strict, Warn or Ignore")
    manager = query.get("fieldManager", "")
    if len(manager) > 128 or not manager.isprintable():
        raise bad_request("fieldManager must be at most 128 printable characters")
    return WriteOptions(
        dry_run=is_dry_run(query.getlist("dryRun")),
        manager=manager or agent.split("/")[0][:128] or "unknown",
        force=_flag(query, "force") or False,
    )


def is_dry_run(said: object) -> bool:
    """Whether ``dryRun`` asks to store nothing. Raises ``ApiError`` 400 for anything but ``All``."""
    if said in (None, [], [""]):
        return False
    if said != ["All"]:
        raise bad_request("dryRun must be All")
    return True


def _match(text: str) -> Match:
    try:
        return Match(text)
    except ValueError:
        raise bad_request("resourceVersionMatch must be Exact or NotOlderThan") from None


def _number(query: QueryParams, name: str, default: int, highest: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise bad_request(f"{name} must be a number that is not negative")
    return min(int(text), highest)


def _flag(query: QueryParams, name: str) -> bool | None:
    text = query.get(name)
    if text is None:
        return None
    if text not in ("", "0", "1", "true", "false", "True", "False"):
        raise bad_request(f"{name} must be true or false")
    return text in ("1", "true", "True")
