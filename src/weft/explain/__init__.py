"""How a call would go, and why: an imagined request sent through a proxy's compiled resources."""
