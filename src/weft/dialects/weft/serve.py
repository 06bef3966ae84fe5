"""The kinds of weft's own: one group, and attached to what they are about, as Gateway API policies are."""

from weft.dialects.served import Served

GROUP = "weft.dev"
VERSIONS = ("v1alpha1",)
CATEGORIES = ("weft", "weft-policy")

SERVED: tuple[Served, ...] = ()
