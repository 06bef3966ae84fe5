"""Who may call the API and how they prove it, composed: the listener, the credentials, and the files that say whom to
believe.
"""

import re
import ssl
from collections.abc import Callable

from weft.api.accounts import subject_of_account
from weft.api.admin import AdminToken
from weft.api.certificates import Certificates, Trusted
from weft.api.client_files import ClientAuthorities
from weft.api.identification import Identification
from weft.api.listener import ApiListener
from weft.api.tokens import ApiTokens
from weft.app.config import Config, hosts_of
from weft.ca.signer import Signer
from weft.kit.clock import Clock
from weft.kit.tasks import Tasks
from weft.model.audit import Auditor
from weft.model.identity import Identity

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class Callers:
    """``listener`` is the API's, ``identification`` tells whose a credential is."""

    def __init__(
        self,
        config: Config,
        authority: Signer,
        admin: AdminToken,
        tokens: ApiTokens,
        clock: Clock,
        auditor: Auditor,
        barred: Callable[[Identity, str], bool],
    ) -> None:
        """Raises ``UserError`` for files of authorities that cannot be used."""
        self._authority = authority
        self._clients = ClientAuthorities(config.clients, self._changed) if config.clients else None
        self.listener = ApiListener(authority, hosts_of(config.address), clock, self._client_pem)
        certificates = Certificates(self._trusted, config.trust_domain, clock, subject_of_account, barred)
        self.identification = Identification(admin, tokens, clock, auditor, config.oidc, certificates)

    def start(self, group: Tasks) -> None:
        """Begin what goes on as long as the control plane does."""
        group.start(self.listener.keep_fresh(), "certificate of the API and xDS")
        if self._clients:
            group.start(self._clients.run(), "authorities of the API's clients")

    def _changed(self) -> None:
        self.listener.renew()

    def _client_pem(self) -> str:
        return self._clients.pem if self._clients else ""

    def _trusted(self) -> Trusted:
        mesh = tuple(ssl.PEM_cert_to_DER_cert(one) for one in _PEM.findall(self._authority.bundle))
        if self._clients is None:
            return Trusted(mesh=mesh)
        return Trusted(mesh=mesh, clients=self._clients.roots, revocations=self._clients.revocations)
