"""The compliance report as one page of HTML: no script, nothing loaded, every text escaped."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #d5dae1 }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #e7eaef; overflow-wrap: anywhere }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: normal }
.sums { display: flex; flex-wrap: wrap; gap: 1rem; padding: 0; list-style: none }
.sums li { border: 1px solid #d5dae1; border-radius: .5rem; padding: .6rem 1rem }
.sums b { display: block; font-size: 1.4rem } .bad { color: #b3261e } .good { color: #1b6e3c }
@media (prefers-color-scheme: dark) {
  body { background: #14181f; color: #e4e8ee } .good { color: #6fcf97 } .bad { color: #ff8a80 }
}
@media print { body { margin: 0; max-width: none } tr { break-inside: avoid } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_NUMBERS = ("calls", "with mTLS", "share", "days left", "days of life", "count", "writes")


def page(found: dict[str, Any]) -> str:
    """The page."""
    parts = [_sums(found), _coverage(found), _workloads(found), _certificates(found), _attempts(found), _changes(found)]
    period = f"{_time(found['since'])} to {_time(found['until'])}"
    return (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
        f'<meta http-equiv=Content-Security-Policy content="{_POLICY}">'
        "<meta name=viewport content='width=device-width'>"
        f"<title>Compliance of {escape(found['trust_domain'])}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Compliance of the mesh {escape(found['trust_domain'])}</h1><p>{escape(period)}</p>"
        f"{''.join(parts)}</body></html>\n"
    )


def _sums(found: dict[str, Any]) -> str:
    coverage, unguarded = found["coverage"], found["without_policy"]
    share = "no traffic" if coverage["share"] is None else _percent(coverage["mtls"], coverage["total"])
    refused = sum(one["count"] for one in found["attempts"])
    whole = found["audit_log_is_whole"]
    sums = (
        (share, "of traffic with mutual TLS", coverage["mtls"] < coverage["total"]),
        (f"{len(unguarded)} of {found['workloads']}", "workloads without policy", unguarded),
        (str(len(found["certificates"])), "certificates to see to", found["certificates"]),
        (str(refused), "refused attempts", False),
        (str(sum(count for _, count in found["changes_by"])), "changes", False),
        ("whole" if whole else "broken", "audit log", not whole),
    )
    items = (
        f"<li><b class={'bad' if bad else 'good'}>{escape(value)}</b>{escape(text)}</li>" for value, text, bad in sums
    )
    return f"<ul class=sums>{''.join(items)}</ul>"


def _coverage(found: dict[str, Any]) -> str:
    edges = sorted(found["coverage"]["edges"], key=lambda one: (one["mtls"] - _total(one), one["source"]))
    rows = [
        (one["source"], one["destination"], _total(one), one["mtls"], _percent(one["mtls"], _total(one)))
        for one in edges
    ]
    head = ("from", "to", "calls", "with mTLS", "share")
    return _section("Traffic by edge", head, rows, "No proxy has counted traffic in this period.")


def _workloads(found: dict[str, Any]) -> str:
    head = ("namespace", "workload", "account", "mTLS", "sidecar", "policies")

    def rows(name: str) -> list[tuple[str, ...]]:
        return [
            (
                one["namespace"], one["workload"], one["account"], one["mtls"],
                "yes" if one["meshed"] else "no", ", ".join(one["policies"]) or "none",
            )
            for one in found[name]
        ]  # fmt: skip

    without = _section("Workloads without policy", head, rows("without_policy"), "Every workload has one.")
    loose = _section(
        "Workloads that take callers without a certificate", head, rows("without_strict_mtls"), "No workload does."
    )
    return without + loose


def _certificates(found: dict[str, Any]) -> str:
    rows = [
        (one["kind"], one["name"], one["problem"], one["days_left"], one["days_of_life"])
        for one in found["certificates"]
    ]
    head = ("kind", "name", "problem", "days left", "days of life")
    return _section("Certificates that end soon or live too long", head, rows, "There are none.")


def _attempts(found: dict[str, Any]) -> str:
    rows = [
        (one["where"], one["who"], one["what"], one["policy"], one["count"], one["last"]) for one in found["attempts"]
    ]
    head = ("where", "who", "what", "policy", "count", "last")
    return _section("Refused attempts", head, rows, "Nothing was refused.")


def _changes(found: dict[str, Any]) -> str:
    by = _section("Changes by whom", ("who", "writes"), found["changes_by"], "Nothing was changed.")
    rows = [(one["time"], one["who"], one["what"], one["source"]) for one in found["changes"]]
    return by + _section("Changes", ("time", "who", "what", "from"), rows, "Nothing was changed.")


def _section(title: str, head: Sequence[str], rows: Iterable[Sequence[object]], nothing: str) -> str:
    body = "".join(
        f"<tr>{''.join(_cell('td', name, one) for name, one in zip(head, row, strict=True))}</tr>" for row in rows
    )
    if not body:
        return f"<h2>{escape(title)}</h2><p>{escape(nothing)}</p>"
    heads = "".join(_cell("th", name, name) for name in head)
    return f"<h2>{escape(title)}</h2><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _cell(tag: str, column: str, content: object) -> str:
    number = " class=n" if column in _NUMBERS else ""
    return f"<{tag}{number}>{escape(str(content))}</{tag}>"


def _total(edge: dict[str, Any]) -> int:
    return int(edge["requests"]) + int(edge["connections"])


def _percent(part: int, whole: int) -> str:
    """Never 100 where something is missing."""
    if part == whole:
        return "100 %"
    return f"{min(100 * part / whole, 99.99):.2f} %"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
