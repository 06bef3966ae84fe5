"""``/metrics`` of a running control plane."""

import shutil
import ssl
import subprocess

import httpx2

from tests.cli.conftest import Running


def _ask(control_plane: Running, token: str) -> httpx2.Response:
    context = ssl.create_default_context(cafile=str(control_plane.state.bundle))
    with httpx2.Client(verify=context, timeout=10) as client:
        return client.get(f"{control_plane.addresses.api}/metrics", headers={"Authorization": f"Bearer {token}"})


def test_the_control_plane_tells_its_numbers(control_plane: Running):
    text = _ask(control_plane, control_plane.state.admin_token.read_text().strip()).text
    for name in (
        "weft_xds_streams 0",
        "weft_xds_rejections_total 0",
        "weft_store_revision",
        "weft_build_info{version=",
    ):
        assert name in text
    assert 'weft_ca_certificate_expiry_timestamp_seconds{kind="root"' in text
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert done.stdout + done.stderr == ""


def test_a_stranger_is_told_nothing(control_plane: Running):
    assert _ask(control_plane, "nobody").status_code == 401
