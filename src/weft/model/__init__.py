"""The nouns of a mesh: what dialects produce, what link orders and what views are cut from. No I/O, no time."""
