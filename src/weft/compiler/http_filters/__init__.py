"""The HTTP filters, one file each; their order is that of FILTERS."""
