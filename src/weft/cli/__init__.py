"""The ``weft`` command: one file for each command, loaded when it is called, and one place that renders errors."""
