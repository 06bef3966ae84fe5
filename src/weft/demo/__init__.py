"""The demo shop, started and proved."""
