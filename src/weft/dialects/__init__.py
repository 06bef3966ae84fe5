"""Documents in the languages that people already write, each turned into a fragment of the model."""
