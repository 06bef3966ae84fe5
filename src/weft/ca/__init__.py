"""Who is who: the certificate authority, the tokens that prove a workload once, and the routes that agents call."""
