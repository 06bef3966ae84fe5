"""Who is told that a part fails: after a minute, once for each check and namespace, until it is well again."""

from weft.health.alarm import PATIENCE, Alarm
from weft.model.health import Check, Level

NOW = 1_700_000_000.0


def check(name: str = "proxy-nack", level: Level = Level.FAIL, group: str = "proxies", **more: str) -> Check:
    return Check(name=name, group=group, level=level, message="it refuses", **more)


def test_what_fails_for_a_minute_is_an_alert_until_it_is_well():
    alarm = Alarm()
    assert alarm.alerts([check(help="look")], NOW) == ()
    assert alarm.alerts([check(help="look")], NOW + PATIENCE - 1) == ()
    (alert,) = alarm.alerts([check(help="look"), check()], NOW + PATIENCE)
    assert (alert.kind, alert.severity, alert.since) == ("health", "page", NOW)
    assert alert.summary == "it refuses (and 1 more)"
    assert dict(alert.evidence) == {"help": "look"}
    assert alarm.alerts([], NOW + PATIENCE + 1) == ()
    assert alarm.alerts([check()], NOW + PATIENCE + 2) == (), "it begins anew"


def test_warnings_are_told_of_certificates_alone():
    alarm = Alarm()
    checks = [
        check("certificate-root", Level.WARN, "certificates"),
        check("proxy-stale", Level.WARN),
        check("alert-slo", Level.FAIL, "traffic"),
        check("document-W0102", Level.FAIL, "documents"),
        check("store-room", Level.FAIL, "store"),
        check("proxy-nack", Level.FAIL, namespace="shop"),
        check("proxy-nack", Level.FAIL, namespace="bank"),
    ]
    alarm.alerts(checks, NOW)
    found = alarm.alerts(checks, NOW + PATIENCE)
    assert [(one.labels[0][1], one.namespace, one.severity) for one in found] == [
        ("certificate-root", "", "ticket"),
        ("store-room", "", "page"),
        ("proxy-nack", "shop", "page"),
        ("proxy-nack", "bank", "page"),
    ]


def test_what_was_told_before_a_restart_goes_on():
    alarm = Alarm()
    alarm.alerts([check(namespace="shop")], NOW)
    before = alarm.alerts([check(namespace="shop")], NOW + PATIENCE)
    assert Alarm(before).alerts([check(namespace="shop")], NOW + PATIENCE + 5) == before
