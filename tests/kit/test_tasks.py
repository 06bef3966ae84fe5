"""Groups of tasks: nothing outlives its owner, no failure is lost."""

import asyncio

import pytest

from weft.kit.tasks import tasks

pytestmark = pytest.mark.asyncio


async def test_tasks_end_with_their_group() -> None:
    ended = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with tasks() as group:
        group.start(forever(), "forever")
        await asyncio.sleep(0)
    assert ended.is_set()


async def test_a_failing_task_ends_the_group_with_its_error() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    async def own() -> None:
        async with tasks() as group:
            group.start(fail(), "fail")
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await own()
    assert caught.group_contains(ValueError, match="broken")


async def test_an_error_of_the_owner_cancels_the_tasks() -> None:
    cancelled = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def own() -> None:
        async with tasks() as group:
            group.start(forever(), "forever")
            await asyncio.sleep(0)
            raise KeyError("owner")

    with pytest.raises(ExceptionGroup) as caught:
        await own()
    assert caught.group_contains(KeyError)
    assert cancelled.is_set()
