"""The guides for users: every document in them is served, every code exists."""

import re
from pathlib import Path

import pytest

from tests.intents.intent import SETTINGS, documents, world
from weft.dialects.translate import CODES, KINDS, fragment_of

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = r"```yaml\n(.*?)```"
TRAFFIC = re.findall(r"```yaml\n(.*?)```", (DOCS / "traffic.md").read_text(), re.DOTALL)
OTHERS = (
    "certificates.md",
    "gateway-api.md",
    "gateways.md",
    "rate-limits.md",
    "circuit-breakers.md",
    "health-checks.md",
)
BLOCKS = [*TRAFFIC, *(block for page in OTHERS for block in re.findall(_BLOCK, (DOCS / page).read_text(), re.DOTALL))]


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_document_of_the_guide_is_served_without_a_finding(block: str, tmp_path: Path):
    path = tmp_path / "block.yaml"
    path.write_text(block)
    assert [one for document in documents(path) for one in fragment_of(document, SETTINGS).findings] == []


def test_the_guide_names_the_worlds_services():
    assert {one.name for one in world().services.values()} <= set(re.findall(r"\w+", "".join(TRAFFIC)))


def test_the_page_about_compatibility_names_codes_that_exist_and_every_kind():
    page = (DOCS / "compatibility.md").read_text()
    assert set(re.findall(r"W\d{4}", page)) <= CODES.keys()
    assert all(re.search(rf"\| .*{kind.kind} \| {', '.join(kind.versions)} \|", page) for kind in KINDS)
