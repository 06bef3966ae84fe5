"""What to do about a refusal of Vault's, by its status, its words and the path that was asked."""

import re

_ROLE = (
    "the role needs key_type=any, allowed_uri_sans=spiffe://TRUST-DOMAIN/*, use_csr_sans=false, "
    "use_csr_common_name=false, require_cn=false, server_flag and client_flag, allow_ip_sans and the control plane's "
    "hosts in allowed_domains, or allow_any_name"
)
_WORDS = (
    ("unknown role", "make the role, or name another with role:"),
    ("beyond the expiration of the CA", "the mount's own certificate ends too early: renew it, or lower --leaf-ttl"),
    ("no default issuer", "the mount has no certificate to sign with: make or import one"),
)


def mount_of(path: str) -> str:
    """Where the engine is that a path asks; mounts may have slashes."""
    return re.split(r"/(?:issuers\?|issuer/|ca_chain|sign/)", path)[0]


def help_of(status: int, reasons: str, path: str) -> str:
    """A sentence for people."""
    if 300 <= status < 400:
        return "redirects are not followed: name the active node, or a balancer before it"
    if path.endswith("/login"):
        return f"the login at {path.removesuffix('/login')} does not take what it was shown, or is not set up"
    if path.startswith("auth/token/"):
        return "the token has ended, or lacks the policy default, by which it may look itself up and renew itself"
    if status == 404 or (status == 403 and "/sign/" not in path):  # a mount that is not there forbids what is public
        return f"there is no PKI engine at {mount_of(path)}, or not in this namespace"
    if status == 403:
        return f"the token may not use {path}: it needs the capability update there"
    return next((help_ for words, help_ in _WORDS if words in reasons), _ROLE)
