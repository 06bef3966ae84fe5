"""What the server did, in numbers: responses, refusals, and how soon clients used an offer."""

import asyncio
from collections.abc import Callable

import pytest

from tests.xds.rig import Stream, rig
from weft.compiler.resource import CLUSTER, Resources, resource
from weft.xds.tally import Tally

pytestmark = pytest.mark.asyncio


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  no event tells
            await asyncio.sleep(0.005)


def offer(text: str) -> Resources:
    return Resources(resources=(resource(CLUSTER, "a", text.encode()),))


async def test_responses_and_their_use_are_counted():
    async with rig(offer("one")) as running, running.client() as channel:
        stream = Stream(channel, "DeltaAggregatedResources")
        await stream.send(type_url=CLUSTER)
        await stream.ack(await stream.next())
        running.latest.set(offer("two"))
        await stream.ack(await stream.next())
        tally = running.fleet.tally
        await until(lambda: sum(tally.converged) > 0)
        assert tally.pushes == {CLUSTER: 2}
        assert tally.bytes[CLUSTER] > 0
        assert (tally.refusals, sum(tally.converged)) == (0, 1)
        assert 0 < tally.seconds < 5


async def test_an_offer_that_waits_for_the_answer_to_another_is_counted_too():
    async with rig(offer("one")) as running, running.client() as channel:
        stream = Stream(channel, "DeltaAggregatedResources")
        await stream.send(type_url=CLUSTER)
        first = await stream.next()
        running.latest.set(offer("two"))
        await until(lambda: [one.resources for one in running.fleet.connections().values()] == [offer("two")])
        await stream.ack(first)
        await stream.ack(await stream.next())
        await until(lambda: sum(running.fleet.tally.converged) > 0)
        assert sum(running.fleet.tally.converged) == 1


async def test_a_refusal_is_counted_and_is_no_use():
    async with rig(offer("one")) as running, running.client() as channel:
        stream = Stream(channel, "DeltaAggregatedResources")
        await stream.send(type_url=CLUSTER)
        await stream.ack(await stream.next())
        running.latest.set(offer("two"))
        got = await stream.next()
        await stream.send(type_url=CLUSTER, response_nonce=got.nonce, error_detail={"message": "no"})
        await until(lambda: running.fleet.tally.refusals > 0)
        assert (running.fleet.tally.refusals, sum(running.fleet.tally.converged)) == (1, 0)


async def test_times_fall_into_their_buckets():
    tally = Tally()
    for seconds in (0.01, 0.02, 100.0):
        tally.settled(seconds)
    assert (tally.converged[0], tally.converged[1], tally.converged[-1]) == (1, 1, 1)
