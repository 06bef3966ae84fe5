"""``python -m build_tools.compat``: bring the table of fields in docs/compatibility.md up to date."""

import sys

from build_tools.compat.page import PAGE, faults, rewritten

if __name__ == "__main__":
    wrong = faults()
    if wrong:
        sys.exit("\n".join(("these fields are not accounted for; see docs/how-to-add-a-kind.md:", *wrong)))
    PAGE.write_text(rewritten(PAGE.read_text()))
