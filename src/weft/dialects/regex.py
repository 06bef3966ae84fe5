"""Regular expressions of documents: RE2, and no larger than a proxy accepts."""

import re2

from weft.dialects.findings import Findings, Here

MAX_REGEX = 1024
MAX_PROGRAM = 32_768
_QUIET = re2.Options()
_QUIET.log_errors = False
_RE2 = "RE2 knows no backreferences and no look-around"


def check_regex(here: Here, regex: str) -> Findings:
    """What Envoy's RE2 would refuse, or what is too large for a proxy."""
    if len(regex) > MAX_REGEX:
        yield here.error("W0109", f"the expression has {len(regex)} characters", f"at most {MAX_REGEX} are allowed")
        return
    try:
        program = re2.compile(regex, options=_QUIET)
    except (re2.error, UnicodeError) as wrong:
        yield here.error("W0109", f"not an RE2 expression: {_said(wrong)}", _RE2)
        return
    if program.programsize > MAX_PROGRAM:
        yield here.error("W0109", f"the expression needs {program.programsize} steps", f"at most {MAX_PROGRAM} are run")


def _said(wrong: Exception) -> str:
    said = wrong.args[0] if wrong.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
