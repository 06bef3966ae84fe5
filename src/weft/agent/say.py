"""What the agent tells its terminal: short lines on stderr."""

import sys


def say(text: str) -> None:
    """One line for the person who reads the log; control characters of others do not reach the terminal."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    sys.stderr.write(f"weft: {clean}\n")
    sys.stderr.flush()


def say_lines(lines: list[str]) -> None:
    """The last lines of a program that crashed."""
    for line in lines:
        say(f"  | {line}")
