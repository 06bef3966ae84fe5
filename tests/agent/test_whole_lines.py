"""Two streams, one log."""

from weft.agent.whole_lines import WholeLines


def test_lines_in_pieces_from_two_streams_are_kept_whole() -> None:
    kept: list[bytes] = []
    output, errors = WholeLines(kept.append), WholeLines(kept.append)
    output.add(b"asked ")
    errors.add(b"warned of /\n")
    output.add(b"for /\nand ")
    errors.add(b"more")
    assert kept == [b"warned of /\n", b"asked for /\n"]
    output.end()
    errors.end()
    assert kept[2:] == [b"and ", b"more"]


def test_a_line_without_an_end_is_passed_on_in_large_parts() -> None:
    kept: list[bytes] = []
    output = WholeLines(kept.append)
    for _ in range(30):
        output.add(b"x" * 10_000)
    assert sum(map(len, kept)) >= 300_000 - 64 * 1024
    assert max(map(len, kept)) <= 64 * 1024 + 10_000
    output.end()
    output.end()
    assert b"".join(kept) == b"x" * 300_000
