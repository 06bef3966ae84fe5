"""Fields as sets, and their form in ``managedFields``."""

from weft.api.fields import flatten, from_v1, layout_of, owned, shown, to_v1

SERVICE = layout_of("", "Service")


def test_leaves_of_mappings_are_paths_and_lists_are_one_value() -> None:
    content = {"metadata": {"name": "x", "labels": {"a": "b"}}, "spec": {"hosts": ["h"], "empty": {}}}
    assert owned(content, layout_of("g", "K")) == {
        ("f:metadata", "f:labels", "f:a"): "b",
        ("f:spec", "f:hosts"): ["h"],
        ("f:spec", "f:empty"): {},
    }


def test_ports_of_services_are_items_by_port_and_protocol() -> None:
    leaves = flatten({"spec": {"ports": [{"port": 80, "name": "http"}], "selector": {"a": "b"}}}, SERVICE)
    item = ("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}')
    assert leaves == {
        item: None,
        (*item, "f:port"): 80,
        (*item, "f:name"): "http",
        ("f:spec", "f:selector"): {"a": "b"},
    }


def test_a_list_whose_keys_repeat_is_one_value() -> None:
    ports = [{"port": 80}, {"port": 80}]
    assert flatten({"spec": {"ports": ports}}, SERVICE) == {("f:spec", "f:ports"): ports}


def test_finalizers_are_a_set() -> None:
    assert set(owned({"metadata": {"finalizers": ["x"]}}, SERVICE)) == {("f:metadata", "f:finalizers", 'v:"x"')}


def test_fields_v1_goes_there_and_back() -> None:
    fields = frozenset(
        {("f:spec", "f:a"), ("f:spec", 'k:{"port":80}'), ("f:spec", 'k:{"port":80}', "f:port"), ("f:spec", 'v:"x"')}
    )
    written = to_v1(fields)
    assert written == {"f:spec": {"f:a": {}, 'k:{"port":80}': {".": {}, "f:port": {}}, 'v:"x"': {}}}
    assert from_v1(written) == fields


def test_a_deep_tree_is_cut_off() -> None:
    tree: dict[str, object] = {}
    for _ in range(90):
        tree = {"f:a": tree}
    assert from_v1(tree) == frozenset()


def test_paths_are_shown_as_people_write_them() -> None:
    assert (
        shown(("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}', "f:name"))
        == '.spec.ports[port=80,protocol="TCP"].name'
    )
    assert shown(("f:metadata", "f:finalizers", 'v:"x"')) == '.metadata.finalizers[="x"]'
