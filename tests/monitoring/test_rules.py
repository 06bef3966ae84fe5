"""Rules are what Prometheus takes, and fire when they should and not before: by ``promtool``, where it is there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Weft
from weft.model.objective import DEFAULT_RULES
from weft.monitoring.rules import GROUPS, Alerting, Recording
from weft.observe.promql.evaluate import parse

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian's prometheus) is not installed")
HERE = Path(__file__).parent


def promtool(*arguments: str) -> str:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def exported(offline: Weft, tmp_path: Path) -> Path:
    file = tmp_path / "weft.rules.yaml"
    file.write_text(offline("rules", "export").out)
    return file


def test_every_expression_is_what_weft_answers_too():
    for group in GROUPS:
        for rule in group.rules:
            parse(rule.expression)


def test_every_alert_says_what_to_do_and_every_recorded_series_is_used_or_named_for_use():
    names = [rule.name for group in GROUPS for rule in group.rules if isinstance(rule, Recording)]
    assert all(re.fullmatch(r"weft:\w+:\w+", name) for name in names)
    for group in GROUPS:
        for rule in group.rules:
            if isinstance(rule, Alerting):
                assert rule.help
                assert rule.summary
                assert rule.severity in ("page", "ticket")


def test_objectives_burn_in_prometheus_as_they_do_in_weft():
    burns = [rule for group in GROUPS if group.name == "weft-objectives" for rule in group.rules]
    assert len(burns) == len(DEFAULT_RULES)
    assert 'weft_slo_burn_rate{window="1h"} >= 14.4' in burns[0].expression


@needs_promtool
def test_promtool_takes_the_rules(exported: Path):
    assert "SUCCESS" in promtool("check", "rules", "--lint-fatal", str(exported))


@needs_promtool
def test_alerts_fire_when_they_should_and_not_before(exported: Path, tmp_path: Path):
    tests = yaml.safe_load((HERE / "rules_test.yaml").read_text())
    tests["rule_files"] = [str(exported)]
    file = tmp_path / "rules_test.yaml"
    file.write_text(yaml.safe_dump(tests))
    assert "SUCCESS" in promtool("test", "rules", str(file))
