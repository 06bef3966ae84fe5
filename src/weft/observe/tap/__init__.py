"""Live requests: what proxies tell of them while somebody watches, and who watches."""
