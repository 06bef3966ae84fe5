"""Where documents live. ``source`` is the contract; one file for each kind of store, one contract suite for all."""
