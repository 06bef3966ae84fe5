"""``weft compose``: a user's file with a mesh, twice, and back; what comes out is a compose file to others, too."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import run_weft
from weft.agent.config import parse_port
from weft.cli.compose import meshed, unmeshed
from weft.cli.composed import Choices
from weft.kit.errors import UserError

CHOICES = Choices(image="weft:1")
SHOP = """\
# our shop
name: shop
x-logging: &logging
  driver: json-file

services:
  web:   # what people see
    image: "web:1"
    ports:
      - "8080:80"
      - target: 9443
        published: "9443"
        app_protocol: https
    environment:
      REVIEWS: http://reviews:9080
    depends_on: [reviews, db]
    logging: *logging
    networks:
      front:
      back:
        aliases: [www]
  reviews:
    build: ./reviews
    expose: ["9080"]
    environment:
      - LEVEL=on
    depends_on:
      db: {condition: service_healthy}
    networks: [back]
    labels:
      weft.dev/ports: "9080/grpc 9081"
  worker:
    image: worker
    profiles: [batch]
  db:
    image: postgres:17
    ports: ["127.0.0.1:5432:5432", "53:53/udp"]
    networks: [back]
  host:
    image: agent
    network_mode: host
  many:
    image: many
    deploy: {replicas: 3}
  out:
    image: out
    labels: ["weft.dev/inject=false"]

networks:
  front:
  back:
    internal: true
volumes:
  data:
"""


def compose(text: str = SHOP) -> tuple[dict[str, Any], list[str]]:
    said: list[str] = []
    return yaml.safe_load(meshed(text, "compose.yaml", CHOICES, said.append)), said


def ports(service: dict[str, Any]) -> list[tuple[int, str]]:
    """What a sidecar serves."""
    command = service["command"]
    found = [parse_port(command[at + 1]) for at, word in enumerate(command) if word == "--port"]
    return [(one.port, one.protocol) for one in found]


def test_services_run_in_the_network_of_their_sidecar_which_has_their_ports_and_names() -> None:
    services = compose()[0]["services"]
    web, sidecar = services["web"], services["web-weft"]
    assert web["network_mode"] == "service:web-weft"
    assert not {"ports", "networks", "expose"} & set(web)
    assert web["depends_on"] == {
        "reviews": {"condition": "service_started"},
        "db": {"condition": "service_started"},
        "web-weft": {"condition": "service_healthy"},
    }
    assert sidecar["ports"] == yaml.safe_load(SHOP)["services"]["web"]["ports"]
    assert sidecar["networks"] == {"front": {"aliases": ["web"]}, "back": {"aliases": ["www", "web"]}}
    assert ports(sidecar) == [(80, "http"), (9443, "tcp")]
    assert web["environment"]["REVIEWS"] == "http://reviews:9080"
    assert web["environment"]["HTTP_PROXY"] == "http://127.0.0.1:15001"
    assert services["worker-weft"]["profiles"] == ["batch"]
    assert services["worker-weft"]["networks"] == {"default": {"aliases": ["worker"]}}


def test_every_style_of_environment_labels_and_dependencies_is_kept() -> None:
    services = compose()[0]["services"]
    assert services["reviews"]["environment"][:2] == ["LEVEL=on", "HTTP_PROXY=http://127.0.0.1:15001"]
    assert services["reviews"]["depends_on"]["db"] == {"condition": "service_healthy"}
    assert ports(services["reviews-weft"]) == [(9080, "grpc"), (9081, "http")]
    assert ports(services["db-weft"]) == [(5432, "tcp")]


def test_what_gets_no_sidecar_stays_and_it_is_said_why() -> None:
    content, said = compose()
    for name, why in (("host", "network_mode is host"), ("many", "replicas"), ("out", "label weft.dev/inject")):
        assert content["services"][name] == yaml.safe_load(SHOP)["services"][name]
        assert f"{name}-weft" not in content["services"]
        assert any(line.startswith(f"{name} stays as it is") and why in line for line in said)
    assert any("web: port 80 does not say its protocol" in line for line in said)


def test_each_sidecar_has_a_volume_of_its_own_and_no_more_rights_than_it_needs() -> None:
    content, _ = compose()
    for name in ("web", "reviews", "worker", "db"):
        sidecar = content["services"][f"{name}-weft"]
        assert sidecar["volumes"] == [f"weft-sidecar-{name}:/var/lib/weft"]
        assert (sidecar["cap_drop"], sidecar["read_only"], sidecar["user"]) == (["ALL"], True, "1337:1337")
        assert f"weft-sidecar-{name}" in content["volumes"]
    assert content["services"]["weft-joining"]["environment"]["SERVICES"] == "db reviews web worker"


def test_a_second_time_changes_nothing_and_undoing_gives_back_every_letter() -> None:
    text = meshed(SHOP, "x", CHOICES, str)
    assert meshed(text, "x", CHOICES, str) == text
    assert meshed(SHOP, "x", CHOICES, str) == text, "it comes out the same"
    assert unmeshed(text, "x") == SHOP
    assert unmeshed(SHOP, "x") == SHOP
    for comment in ("# our shop", "# what people see"):
        assert comment in text


def test_what_somebody_changed_since_stays() -> None:
    text = meshed(SHOP, "x", CHOICES, str).replace('image: "web:1"', 'image: "web:2"')
    back = yaml.safe_load(unmeshed(text, "x"))
    assert back == yaml.safe_load(SHOP.replace("web:1", "web:2"))


def test_anchors_that_services_share_are_not_changed_for_both() -> None:
    text = "services:\n  a:\n    image: x\n    environment: &e\n      A: b\n  b:\n    image: x\n    environment: *e\n"
    services = compose(text)[0]["services"]
    assert (services["a"]["environment"]["WEFT_SERVICE"], services["b"]["environment"]["WEFT_SERVICE"]) == ("a", "b")
    merged = "x-b: &b\n  ports: ['80']\nservices:\n  a:\n    <<: *b\n    image: x\n  c:\n    image: x\n"
    content, said = compose(merged)
    assert "a-weft" not in content["services"]
    assert any("its ports comes from a merge" in line for line in said)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("services: {}\n", "there are no services"),
        ("- a\n", "is no compose file"),
        ("services:\n  weft: {image: x}\n", "has a name that weft needs"),
        ("services:\n  a: {image: x}\n  a-weft: {image: x}\n", "has a name that weft needs"),
        ("services:\n  a: {image: x, network_mode: host}\n", "no service can have a sidecar"),
        ("services: [\n", "is no YAML"),
        ("services:\n  a: {image: x, labels: {weft.dev/ports: 80/udp}}\n", "'udp' is no protocol"),
    ],
)
def test_what_cannot_be_done_is_said(text: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        meshed(text, "x", CHOICES, str)


def test_the_command_finds_the_file_explains_itself_and_undoes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docker-compose.yml").write_text(SHOP)
    done = run_weft("compose", "-o", "mesh.yaml")
    assert done.code == 0, done.err
    assert "web has the sidecar web-weft" in done.err
    done = run_weft("compose", "-f", "mesh.yaml", "--undo")
    assert done.out == SHOP
    (tmp_path / "docker-compose.yml").unlink()
    done = run_weft("compose")
    assert (done.code, done.out) == (1, "")


def test_the_specification_takes_what_comes_out() -> None:
    specification = pytest.importorskip("compose_spec", reason="compose-spec has no wheel for this Python")
    text = meshed(SHOP, "x", CHOICES, str)
    implied = text.replace("\nnetworks:\n", "\nnetworks:\n  default:\n", 1)  # this checker wants it spelled out
    specification.PyCompose.from_yaml(implied).validate()
    with pytest.raises(Exception, match=r"."):
        specification.PyCompose.from_yaml(text.replace("network_mode: service:web-weft", "network_mood: x"))
