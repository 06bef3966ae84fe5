"""The three kinds of patches, on values."""

from typing import Any

import pytest

from weft.api.errors import ApiError
from weft.api.patch import json_patch, merge_patch
from weft.api.strategic import strategic_patch

BASE: dict[str, Any] = {"a": {"b": [1, 2, 3]}, "x/y": {"~": 1}}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/c", "value": None}, {**BASE, "c": None}),
        ({"op": "add", "path": "/a/b/1", "value": 9}, {**BASE, "a": {"b": [1, 9, 2, 3]}}),
        ({"op": "add", "path": "/a/b/-", "value": 9}, {**BASE, "a": {"b": [1, 2, 3, 9]}}),
        ({"op": "add", "path": "", "value": {"n": 1}}, {"n": 1}),
        ({"op": "replace", "path": "/a/b/0", "value": 9}, {**BASE, "a": {"b": [9, 2, 3]}}),
        ({"op": "replace", "path": "/a/b", "value": []}, {**BASE, "a": {"b": []}}),
        ({"op": "remove", "path": "/a/b/2"}, {**BASE, "a": {"b": [1, 2]}}),
        ({"op": "remove", "path": "/x~1y/~0"}, {**BASE, "x/y": {}}),
        ({"op": "copy", "from": "/a/b/0", "path": "/c"}, {**BASE, "c": 1}),
        ({"op": "move", "from": "/a/b", "path": "/c"}, {"a": {}, "x/y": {"~": 1}, "c": [1, 2, 3]}),
        ({"op": "test", "path": "/a/b/0", "value": 1}, BASE),
    ],
)
def test_a_json_patch_does_what_rfc_6902_says(operation: dict[str, Any], expected: dict[str, Any]) -> None:
    before = repr(BASE)
    assert json_patch(BASE, [operation]) == expected
    assert repr(BASE) == before


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ({"op": "add"}, 400),
        ([3], 400),
        ([{"op": "add", "path": "/c"}], 400),
        ([{"op": "fly", "path": "/c"}], 400),
        ([{"op": "add", "path": "c", "value": 1}], 400),
        ([{"op": "copy", "path": "/c"}], 400),
        ([{"op": "remove", "path": "/none"}], 422),
        ([{"op": "remove", "path": ""}], 422),
        ([{"op": "replace", "path": "/none", "value": 1}], 422),
        ([{"op": "replace", "path": "/a/b/3", "value": 1}], 422),
        ([{"op": "add", "path": "/a/b/5", "value": 1}], 422),
        ([{"op": "add", "path": "/a/b/01", "value": 1}], 422),
        ([{"op": "add", "path": "/a/b/x", "value": 1}], 422),
        ([{"op": "add", "path": "/a/b/0/z", "value": 1}], 422),
        ([{"op": "test", "path": "/a/b/0", "value": 2}], 422),
        ([{"op": "move", "from": "/a", "path": "/a/b"}], 422),
        ([{"op": "test", "path": "/a/b/0", "value": 1}] * 10_001, 400),
    ],
)
def test_a_json_patch_that_cannot_be_is_refused(patch: Any, code: int) -> None:
    with pytest.raises(ApiError) as refused:
        json_patch(BASE, patch)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({"a": "foo"}, "bar", "bar"),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_rfc_7396_says(target: Any, patch: Any, expected: Any) -> None:
    assert merge_patch(target, patch) == expected


SERVICE: dict[str, Any] = {
    "metadata": {"finalizers": ["a", "b"]},
    "spec": {"ports": [{"port": 80, "name": "http"}, {"port": 90, "name": "grpc"}], "externalIPs": ["1"]},
}


def ports(patch: Any) -> Any:
    return strategic_patch(SERVICE, {"spec": patch}, "Service")["spec"]["ports"]


def test_a_strategic_patch_merges_ports_by_number() -> None:
    assert ports({"ports": [{"port": 90, "name": "new"}, {"port": 70}]}) == [
        {"port": 80, "name": "http"},
        {"port": 90, "name": "new"},
        {"port": 70},
    ]


def test_a_strategic_patch_deletes_and_orders_ports() -> None:
    patch = {
        "$setElementOrder/ports": [{"port": 70}, {"port": 90}],
        "ports": [{"port": 80, "$patch": "delete"}, {"port": 70}],
    }
    assert ports(patch) == [{"port": 70}, {"port": 90, "name": "grpc"}]


def test_a_strategic_patch_can_replace_lists_and_mappings() -> None:
    assert ports({"ports": [{"$patch": "replace"}, {"port": 1}]}) == [{"port": 1}]
    assert strategic_patch(SERVICE, {"spec": {"$patch": "replace", "type": "X"}}, "Service")["spec"] == {"type": "X"}
    assert strategic_patch(SERVICE, {"spec": {"$patch": "delete"}}, "Service")["spec"] == {}
    assert strategic_patch(SERVICE, {"spec": {"$retainKeys": ["externalIPs"]}}, "Service")["spec"] == {
        "externalIPs": ["1"]
    }


def test_a_strategic_patch_treats_lists_without_a_key_as_one_value() -> None:
    assert strategic_patch(SERVICE, {"spec": {"externalIPs": ["2"]}}, "Service")["spec"]["externalIPs"] == ["2"]


def test_a_strategic_patch_merges_lists_of_texts() -> None:
    add = strategic_patch(SERVICE, {"metadata": {"finalizers": ["b", "c"]}}, "Service")
    assert add["metadata"]["finalizers"] == ["a", "b", "c"]
    drop = strategic_patch(SERVICE, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}, "Service")
    assert drop["metadata"]["finalizers"] == ["b"]


@pytest.mark.parametrize(
    "patch",
    [
        [],
        {"spec": {"$patch": "fly"}},
        {"spec": {"ports": [{"name": "no port"}]}},
        {"spec": {"ports": [3]}},
        {"spec": {"$retainKeys": "x"}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}},
    ],
)
def test_a_strategic_patch_that_cannot_be_is_refused(patch: Any) -> None:
    with pytest.raises(ApiError) as refused:
        strategic_patch(SERVICE, patch, "Service")
    assert refused.value.code == 400
