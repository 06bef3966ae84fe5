"""Why a certificate was not obtained."""

from weft.kit.errors import WeftError


class Unissued(WeftError):
    """The authority refused, could not be reached, or did not see the proof; it is tried again later."""
