"""Envoy's response flags in words."""

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import ResponseFlagFilter
from weft.kit.response_flags import FLAGS, words_of


def test_every_flag_of_the_envoy_that_is_used_has_words() -> None:
    rules = str(ResponseFlagFilter.DESCRIPTOR.fields_by_name["flags"].GetOptions())
    known = {line.split('"')[1] for line in rules.splitlines() if "in:" in line}
    assert len(known) > 25
    assert set(FLAGS) == known


def test_flags_are_told_in_words_together() -> None:
    assert words_of("UH") == "no healthy upstream"
    assert words_of("UF,URX") == "no connection to the upstream could be made; tried as often as allowed"


def test_no_flag_has_no_words_and_an_unknown_one_stands_for_itself() -> None:
    assert words_of("-") == words_of("") == ""
    assert words_of("XYZ") == "XYZ"
