"""What a proxy is told before it is started."""

import pytest

from tests.view.meshes import mesh, node, origin
from weft.model.proxy import ProxySettings
from weft.model.settings import Settings
from weft.view.start import start_of


def said(concurrency: int | None, namespace: str = "shop", **selector: str) -> ProxySettings:
    return ProxySettings(
        origin=origin("it", namespace), concurrency=concurrency, selector=tuple(sorted(selector.items()))
    )


def test_the_mesh_says_it_where_nobody_else_does():
    settings = Settings(concurrency=5)
    assert start_of(mesh(settings=settings), node("web")).concurrency == 5
    assert start_of(mesh(settings=settings, proxy_settings=(said(2),)), node("web")).concurrency == 2


@pytest.mark.parametrize(
    ("settings", "threads"),
    [
        ((), None),
        ((said(3, "other"),), None),
        ((said(3, "istio-system"),), 3),
        ((said(3, "istio-system"), said(2)), 2),
        ((said(2), said(4, app="web")), 4),
        ((said(2), said(4, app="api")), 2),
        ((said(None, app="web"), said(2)), 2),
        ((said(0),), 0),
    ],
)
def test_the_nearest_word_about_threads_holds(settings: tuple[ProxySettings, ...], threads: int | None):
    assert start_of(mesh(proxy_settings=settings), node("web")).concurrency == threads
