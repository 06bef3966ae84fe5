"""The agent of a test's workload: that of ``weft run``, which makes its key without a process of its own for that."""

import weft.agent.identity
from weft.agent.__main__ import main as agent
from weft.agent.keygen import KeyPair, Order, generate

__all__ = ["main"]


async def _made_here(key: str = "", uri: str = "") -> KeyPair:
    """The nursery has loaded what agents must not carry; their copies of it are shared."""
    return generate(Order(key=key, uri=uri))


def main(arguments: list[str]) -> int:
    """Run the workload of a configuration file."""
    setattr(weft.agent.identity, "new_key", _made_here)  # noqa: B010  nobody but tests does that
    return agent(arguments)


def load() -> None:
    """Load what keys are made with."""
    generate(Order())
