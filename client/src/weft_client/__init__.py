"""Passes trace headers of requests that an application receives on to the calls that it makes for them."""

from weft_client.headers import FORWARDED, added, carried, take, taken
from weft_client.hooks import install

__all__ = ["FORWARDED", "added", "carried", "install", "take", "taken"]
