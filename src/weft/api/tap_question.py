"""What is asked of ``/weft/v1/tap``, read from its parameters."""

import re

from starlette.datastructures import QueryParams

from weft.api.errors import bad_request
from weft.kit.redaction import Redactor
from weft.kit.value import Value
from weft.model.tap import MOST_BODY, Looking, Showing, Side, Target

LONGEST = 3600.0
_DEFAULT = 600.0
_MOST = 1_000_000
_MOST_FILTERS, _LONGEST_TEXT = 16, 512
_NAME = re.compile(r"[a-zA-Z0-9._-]{0,253}")
_CLASS = re.compile(r"([1-5])xx", re.IGNORECASE)
_METHOD = re.compile(r"[A-Za-z_-]{1,32}")
_HEADER = re.compile(r"[!#$%&'+.^_`|~0-9A-Za-z*-]{1,128}")


class Question(Value):
    """Whom somebody wants to watch, what for, and how long: ``seconds`` or ``most`` requests, whichever ends first."""

    target: Target
    side: Side
    looking: Looking
    showing: Showing
    seconds: float = _DEFAULT
    most: int = _MOST

    @property
    def told(self) -> str:
        """The question in words, for the audit log."""
        looking, showing = self.looking, self.showing
        said = {
            "at": "caller" if self.side is Side.OUT else "callee",
            "workload": self.target.workload,
            "to": looking.service,
            "from": looking.source,
            "method": ",".join(looking.methods),
            "path": looking.path,
            "host": looking.authority,
            "status": ",".join(f"{low}-{high}" for low, high in looking.statuses),
            "header": ",".join(f"{name}={value}" for name, value in looking.headers),
            "slower": f"{looking.slower_than:g}ms" if looking.slower_than else "",
            "identity": looking.identity,
            "route": looking.route,
            "headers": ",".join(showing.headers),
            "bodies": f"{showing.body} bytes" if showing.body else "no",
        }
        return " ".join(f"{name}={value}" for name, value in said.items() if value)


def question_of(params: QueryParams, redactor: Redactor) -> Question:
    """The question. Raises ``ApiError`` 400. ``to`` is left as it is written: a service's name, or its host."""
    target = Target(
        namespace=_name(params, "namespace"), service=_name(params, "service"), workload=_name(params, "workload")
    )
    if target.service and target.workload:
        raise bad_request("watch a service or a workload, not both")
    if (target.service or target.workload) and not target.namespace:
        raise bad_request("a service and a workload are of a namespace")
    side = params.get("side") or ("out" if params.get("to") else "in")
    if side not in ("in", "out"):
        raise bad_request("side is in (where calls arrive) or out (where they leave)")
    return Question(
        target=target,
        side=Side(side),
        looking=_looking(params, redactor),
        showing=Showing(
            headers=tuple(_header_name(one) for one in _several(params, "headers")),
            body=round(_number(params, "body", 0, MOST_BODY)),
        ),
        seconds=_number(params, "seconds", _DEFAULT, LONGEST) or _DEFAULT,
        most=round(_number(params, "max", _MOST, _MOST)) or _MOST,
    )


def _looking(params: QueryParams, redactor: Redactor) -> Looking:
    methods = _several(params, "method")
    if wrong := [one for one in methods if not _METHOD.fullmatch(one)]:
        raise bad_request(f"{wrong[0]!r} is no method")
    return Looking(
        methods=tuple(one.upper() for one in methods),
        path=_text(params, "path"),
        authority=_text(params, "host").lower(),
        statuses=tuple(_statuses(one) for one in _several(params, "status")),
        headers=tuple(_header(one, redactor) for one in _several(params, "header")),
        slower_than=_number(params, "slowerThan", 0, 3_600_000),
        identity=_text(params, "identity"),
        source=_text(params, "from"),
        service=_name(params, "to"),
        route=_text(params, "route"),
    )


def _statuses(text: str) -> tuple[int, int]:
    """``404``, ``5xx`` or ``500-503``."""
    if found := _CLASS.fullmatch(text):
        return int(found[1]) * 100, int(found[1]) * 100 + 99
    low, _, high = text.partition("-")
    if not (low.isascii() and low.isdigit() and len(low) <= 3 and (not high or (high.isdigit() and len(high) <= 3))):
        raise bad_request(f"{text!r} is no status (help: write 404, 5xx or 500-503)")
    return int(low), int(high or low)


def _header(text: str, redactor: Redactor) -> tuple[str, str]:
    """``name=value``, or the name alone. What is hidden cannot be looked for by its value: answers would tell it."""
    name, _, value = text.partition("=")
    name = _header_name(name)
    if "*" in name:
        raise bad_request(f"the header that is looked for is one, not {name!r}")
    if value.strip("*") and redactor.hides(name):
        raise bad_request(f"values of {name} are hidden, so they cannot be looked for (help: leave the value out)")
    return name, value or "*"


def _header_name(text: str) -> str:
    name = text.strip().lower()
    if not _HEADER.fullmatch(name):
        raise bad_request(f"{text[:100]!r} is no header's name")
    return name


def _several(params: QueryParams, name: str) -> list[str]:
    found = [part.strip() for one in params.getlist(name) for part in one.split(",") if part.strip()]
    if len(found) > _MOST_FILTERS or any(len(one) > _LONGEST_TEXT for one in found):
        raise bad_request(f"{name} has {_MOST_FILTERS} values of {_LONGEST_TEXT} characters at most")
    return found


def _text(params: QueryParams, name: str) -> str:
    text = params.get(name, "")
    if len(text) > _LONGEST_TEXT:
        raise bad_request(f"{name} has {_LONGEST_TEXT} characters at most")
    return text


def _name(params: QueryParams, name: str) -> str:
    text = params.get(name, "")
    if not _NAME.fullmatch(text):
        raise bad_request(f"{text[:100]!r} is no name of a {name}")
    return text


def _number(params: QueryParams, name: str, default: float, most: float) -> float:
    try:
        number = float(params.get(name) or default)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        raise bad_request(f"{name} is a number from 0 to {most:g}, not {params[name][:100]!r}")
    return number
