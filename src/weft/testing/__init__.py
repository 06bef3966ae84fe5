"""Real meshes for tests: a control plane and sidecars that start within a second or two and leave nothing behind.

``plugin`` is what pytest loads; ``mesh`` is what its fixtures give. It stands on top of the house: it starts what the
command line starts, and asks what the command line asks.
"""
