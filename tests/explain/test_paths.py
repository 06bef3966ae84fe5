"""Paths as proxies see them."""

import pytest

from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from weft.explain.paths import _path


def manager(*, normalize: bool = True, merge: bool = False, unescape: bool = False) -> HttpConnectionManager:
    made = HttpConnectionManager(merge_slashes=merge)
    made.normalize_path.value = normalize
    if unescape:
        made.path_with_escaped_slashes_action = HttpConnectionManager.UNESCAPE_AND_FORWARD
    return made


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/a/../b", "/b"),
        ("/../../a", "/a"),
        ("/a/./b/.", "/a/b/"),
        ("/a/b/..", "/a/"),
        ("/a/%2e%2E/b", "/b"),
        ("/%61bc", "/abc"),
        ("/a\\b", "/a/b"),
        ("/a//b", "/a//b"),
        ("/a%2Fb", "/a%2Fb"),
        ("/", "/"),
    ],
)
def test_dots_are_resolved_and_what_need_not_be_escaped_is_not(path: str, seen: str) -> None:
    assert _path(manager(), path) == seen


def test_slashes_are_merged_after_they_are_unescaped() -> None:
    assert _path(manager(merge=True), "/a//b///c") == "/a/b/c"
    assert _path(manager(merge=True, unescape=True), "/a%2F/b%5Cc") == "/a/b/c"
    assert _path(manager(unescape=True), "/a%2F/b") == "/a//b"


def test_paths_are_left_alone_where_nothing_is_asked_for() -> None:
    assert _path(manager(normalize=False), "/a/../b\\%61") == "/a/../b\\%61"
