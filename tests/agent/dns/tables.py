"""Tables of names for tests."""

import json
from typing import Any

from weft.agent.dns.table import NameTable

SUFFIX = "svc.cluster.local"
HTTP = {"name": "http", "number": 9080}
HOSTS: list[dict[str, Any]] = [
    {"host": f"reviews.shop.{SUFFIX}", "addresses": ["240.241.0.1"], "ports": [HTTP]},
    {"host": f"reviews.other.{SUFFIX}", "addresses": ["240.241.0.2", "2001:2::2"]},
    {"host": "api.example.com", "addresses": ["240.240.0.9", "2001:2::9"], "ports": [{"name": "tls", "number": 443}]},
    {
        "host": f"db.shop.{SUFFIX}",
        "addresses": ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
        "ports": [{"name": "tcp", "number": 3306}],
        "pods": [
            {"name": f"db-{at}", "address": f"10.0.0.{at + 1}", "ports": [{"name": "tcp", "number": 3306 + at}]}
            for at in range(3)
        ],
    },
    {"host": f"many.shop.{SUFFIX}", "addresses": [f"10.1.0.{at}" for at in range(100)], "pods": []},
    {"host": f"outside.shop.{SUFFIX}", "alias": "www.example.org"},
    {"host": f"inside.shop.{SUFFIX}", "alias": f"reviews.other.{SUFFIX}"},
]


def table(hosts: list[dict[str, Any]] | None = None) -> NameTable:
    """The table of a workload of ``shop``."""
    found = HOSTS if hosts is None else hosts
    return NameTable(json.dumps({"namespace": "shop", "suffix": SUFFIX, "hosts": found}).encode())
