"""Access logs in files: in every listener, as Envoy takes them."""

from pathlib import Path

from msgspec.structs import replace

from tests.compiler.bootstrap import check_with_envoy, listeners, manager_of
from tests.compiler.test_patches import view
from weft.compiler.resources import resources_of
from weft.dialects.istio.access_log_format import default_fields, default_text
from weft.model.access_log import FileLog
from weft.view.view import View


def logged(log: FileLog) -> View:
    made = view()
    norms = {"norms": replace(made.inbound[0].norms, access_log=log)}
    return replace(
        made,
        inbound=tuple(replace(one, **norms) for one in made.inbound),
        http_proxy=replace(made.http_proxy, **norms),
        upstream_ports=tuple(replace(one, **norms) for one in made.upstream_ports),
    )


def test_envoy_takes_istios_formats_in_every_listener(tmp_path: Path):
    for log in (
        FileLog(path=str(tmp_path / "a.log"), text=default_text()),
        FileLog(path=str(tmp_path / "a.json"), fields=default_fields()),
    ):
        resources = resources_of(logged(log))
        check_with_envoy(resources, tmp_path)
        proxy = listeners(resources)["http_proxy"]
        assert "envoy.access_loggers.file" in [one.name for one in manager_of(proxy).access_log]


def test_without_a_file_nothing_is_written():
    for listener in listeners(resources_of(view())).values():
        assert b"envoy.access_loggers.file" not in listener.SerializeToString()
