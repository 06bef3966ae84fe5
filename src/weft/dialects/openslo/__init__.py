"""OpenSLO, version 1: objectives of services, and who is told when they are missed (https://github.com/OpenSLO/OpenSLO)."""
