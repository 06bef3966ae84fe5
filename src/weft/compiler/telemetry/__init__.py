"""What proxies tell of the calls that pass them: access loggers, each a module."""
