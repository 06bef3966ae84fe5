"""What tests of capture need from the machine."""

import shutil

import pytest

_NEEDED = ("ip", "nft", "iptables-restore", "nsenter", "setpriv", "ss")
_MISSING = [name for name in _NEEDED if shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin") is None]

CAPTURES = pytest.mark.skipif(bool(_MISSING), reason=f"not installed here: {', '.join(_MISSING)}")
"""Skips, with the reason, where a tool is missing."""
