"""Configurations that come on their own are shown like everything else that a proxy is sent."""

from msgspec.structs import replace

from tests.compiler.test_patches import DOCUMENT, view
from weft.compiler.resources import resources_of
from weft.explain.dump import dump_of, messages_of
from weft.model.document import Origin
from weft.model.plugin import Lua, Plugin
from weft.model.tap import IN, OUT


def test_a_plugin_is_among_the_extensions_of_its_proxy():
    plugin = Plugin(name="greet", origin=Origin(key=DOCUMENT), works=(Lua(source="x"),))
    resources = resources_of(replace(view(), plugins=(plugin,)))
    rows = dump_of(resources, "extensions").rows
    assert ("greet", "envoy.extensions.filters.http.lua.v3.Lua") in rows
    assert {name for name, _ in rows} == {"greet", IN, OUT}
    message = messages_of(resources, "extensions")[0]
    assert message["name"] == "greet"
