"""The tree of errors.

::

    WeftError
    ├── UserError        what a user did or has cannot work: message, code, help; the CLI prints it, never a traceback
    │   └── Unreachable  the control plane does not answer
    ├── PeerError        what a peer sent is wrong: ends its stream or request, nothing else
    └── BrokenPromise    our own fault: propagates to the boundary that loses one document or one proxy

A mistake inside a user's *document* is not an exception but a value: ``weft.model.finding.Finding``.
"""


class WeftError(Exception):
    """Base of every error that weft raises on purpose."""


class UserError(WeftError):
    """Something a user can mend. ``str()`` is one lower-case sentence without a final stop."""

    exit_code = 1

    def __init__(self, message: str, *, code: str | None = None, help: str | None = None) -> None:  # noqa: A002
        super().__init__(message)
        self.message = message
        self.code = code
        self.help = help


class Unreachable(UserError):
    """The control plane cannot be reached."""

    exit_code = 6


class Denied(UserError):
    """The control plane refused the caller's credential."""

    exit_code = 5


class Missing(UserError):
    """What was asked for does not exist."""

    exit_code = 4


class PeerError(WeftError):
    """A peer broke its protocol; caught at the boundary of its stream or request.

    What it says is logged and told to others: letters of the peer's that would move a cursor are written out.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__("".join(one if one.isprintable() else ascii(one)[1:-1] for one in message))


class BrokenPromise(WeftError):
    """A promise of our own code is broken."""
