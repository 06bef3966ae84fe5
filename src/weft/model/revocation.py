"""Whose certificates count no more, though they have not ended."""

from weft.kit.value import Value


class Revoked(Value):
    """Accounts as (namespace, name), and single certificates by the SHA-256 of their DER in hexadecimal; sorted."""

    accounts: tuple[tuple[str, str], ...] = ()
    certificates: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.accounts or self.certificates)
