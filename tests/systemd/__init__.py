"""Units under a real systemd, which the tests start in namespaces of its own."""
