"""The shapes of Gateway API's documents, every field of the published schemas."""
