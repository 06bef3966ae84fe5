"""TLS to a destination."""

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.types.destination_rule import ClientTls

_FILES = ("clientCertificate", "privateKey", "caCertificates", "caCrl")
_WITH_FILES = ("SIMPLE", "MUTUAL")


def check_tls(here: Here, tls: ClientTls | None) -> Findings:
    """Istio's ``ValidateTLS``; then, which of it is served: nothing, the mesh's own mutual TLS, files or secrets."""
    if tls is None:
        return
    files = dict(zip(_FILES, (tls.client_certificate, tls.private_key, tls.ca_certificates, tls.ca_crl), strict=True))
    named = [field for field, value in files.items() if value]
    yield from _check_credentials(here, tls, named)
    if tls.mode in _WITH_FILES and "://" in (tls.credential_name or ""):
        name = f'"{(tls.credential_name or "")[:80]}" as the name of a secret'
        yield here.at("credentialName").unserved(name, "name a secret of the callers' namespace")
    for field in named if tls.mode in _WITH_FILES else ():
        if not _is_whole(files[field] or ""):
            yield here.at(field).unserved(f"a relative path, or one with ~, for {field}", "write the file's whole path")
    if tls.mode == "ISTIO_MUTUAL":
        for field in (*named, *_others(tls)):
            yield here.at(field).unserved(f"{field} with ISTIO_MUTUAL")


def _is_whole(path: str) -> bool:
    """Whether a path means one file; ``~`` stands between paths in the names of secrets."""
    return path.startswith("/") and "~" not in path


def _others(tls: ClientTls) -> list[str]:
    others = {
        "credentialName": tls.credential_name,
        "insecureSkipVerify": tls.insecure_skip_verify,
    }
    return [field for field, value in others.items() if value]


def _check_credentials(here: Here, tls: ClientTls, named: list[str]) -> Findings:
    if tls.mode in _WITH_FILES and tls.credential_name and named:
        yield here.at(named[0]).error("W0106", f"only one of credentialName and {named[0]} can be set", at_key=True)
    if tls.mode != "MUTUAL" or tls.credential_name:
        return
    for field in ("clientCertificate", "privateKey"):
        if field not in named:
            yield here.error("W0105", f"the mode MUTUAL needs {field}", f"set {field} or credentialName", at_key=True)
