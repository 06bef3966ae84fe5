"""``python -m weft.agent CONFIG.json [HERITAGE.json]``: the process that ``weft run`` becomes.

With a heritage, it is what a running agent goes on as; ``--check`` before them only tries whether it could.
"""

import asyncio
import gc
import random
import sys
from pathlib import Path

from weft.agent.config import AgentConfig, read_config
from weft.agent.gateway import supervise_gateway
from weft.agent.heritage import CHECK, Heritage, read_heritage
from weft.agent.say import say
from weft.agent.supervisor import supervise
from weft.kit.clock import SystemClock
from weft.kit.errors import UserError

_USAGE = 2


def main(arguments: list[str]) -> int:
    """Run the workload of a configuration file; the exit code is the application's, or 1 with a sentence."""
    only_check = arguments[:1] == [CHECK]
    files = [Path(one) for one in arguments[only_check:]]
    if not 1 <= len(files) <= 2:
        say("usage: python -m weft.agent CONFIG.json [HERITAGE.json]")
        return _USAGE
    try:
        config = read_config(files[0])
        heritage = read_heritage(files[1]) if len(files) > 1 else None
        if only_check:
            return 0
        gc.freeze()
        return asyncio.run(_supervised(config, files[0], heritage))
    except UserError as mistake:
        return _explain(mistake)
    except BaseExceptionGroup as group:
        mistake_in = first_mistake(group)
        if mistake_in is None:
            raise
        return _explain(mistake_in)


async def _supervised(config: AgentConfig, file: Path, heritage: Heritage | None) -> int:
    clock, chance = SystemClock(), random.SystemRandom()
    if config.gateway is not None:
        return await supervise_gateway(config, config.gateway, clock, chance, file, heritage)
    return await supervise(config, clock, chance, file, heritage)


def first_mistake(group: BaseExceptionGroup[BaseException]) -> UserError | None:
    """The first ``UserError`` inside a group of failures."""
    for failure in group.exceptions:
        if isinstance(failure, UserError):
            return failure
        if isinstance(failure, BaseExceptionGroup) and (inner := first_mistake(failure)) is not None:
            return inner
    return None


def _explain(mistake: UserError) -> int:
    say(f"error: {mistake}")
    if mistake.help:
        say(f"help: {mistake.help}")
    return mistake.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
