"""Public keys of token issuers: fetched once for all proxies, with care for where documents make weft ask."""
