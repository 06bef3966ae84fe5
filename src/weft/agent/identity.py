"""The workload's identity: joined once with a token, then renewed at half life with the certificate itself.

Whoever was away until the certificate had ended renews it with its key, as long as the control plane lets it.
"""

import asyncio
import contextlib
import random
from pathlib import Path

import msgspec

from weft.agent.config import AgentConfig, ProofKind
from weft.agent.credentials import Credentials, Issued, kept_in, load, present, save
from weft.agent.doors import Doors
from weft.agent.http import Answer, HttpClient, Unanswered
from weft.agent.keygen import KeyPair, new_key
from weft.agent.say import say
from weft.agent.trust import accepts, matching, named_roots, verifying
from weft.kit.clock import Clock
from weft.kit.errors import Denied, UserError
from weft.kit.latest import Latest
from weft.kit.tasks import tasks
from weft.kit.value import Value

_WAITING_TIMEOUT = 40.0
_TIMEOUT = 10.0
_FIRST_TIMEOUT = 5.0
_WHERE = 3.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_LONGEST_NAP = 3600.0
_WORRYING = 0.25
_NAME_YOURSELF = 409
_FIRST_ASKED = 5.0
_NEW_TOKEN = "weft token create > FILE, then give --token-file FILE"


class _Told(Value):
    """What a workload's certificate should have been issued by, and when to ask again, in seconds."""

    authority: str
    again_seconds: float = 20.0


class IdentityKeeper:
    """Holds the newest credentials in ``latest`` and a client of the control plane that shows them."""

    def __init__(self, config: AgentConfig, directory: Path, clock: Clock, chance: random.Random) -> None:
        self.latest: Latest[Credentials] = Latest()
        self._config = config
        self._directory = directory
        self._clock = clock
        self._chance = chance
        self._doors = Doors(config.join_url)
        self._client: HttpClient | None = None
        self._outdated = asyncio.Event()
        self._named = ""
        self._xds_address = ""

    @property
    def current(self) -> Credentials:
        """The newest credentials; only after ``obtain``."""
        assert self.latest.value is not None
        return self.latest.value

    @property
    def client(self) -> HttpClient:
        """Asks the control plane in the name of the workload; only after ``obtain``."""
        assert self._client is not None
        return self._client

    @property
    def may_move(self) -> bool:
        """Whether the control plane has other addresses, to which it may move."""
        return self._doors.several

    async def xds_address(self) -> str:
        """Where the control plane serves proxies: it is asked, if it may have moved; else as it was told last."""
        if self.may_move:
            with contextlib.suppress(Unanswered, TimeoutError):
                async with asyncio.timeout(_WHERE):
                    answer = await self.client.request("GET", "/v1/bundle")
                content = answer.json() if answer.status == 200 else None
                found = content.get("xds_address") if isinstance(content, dict) else None
                self._xds_address = str(found or "")
        return self._xds_address or self.current.issued.xds_address

    def waiting_client(self) -> HttpClient:
        """Another connection, for answers that are waited for; only after ``obtain``."""
        context = verifying(self.current.issued.bundle)
        present(context, self.current, self._directory)
        return self._doors.client(context, _WAITING_TIMEOUT, keep=True)

    async def obtain(self) -> None:
        """Get a certificate, from an earlier run or by joining; wait while the control plane is away.

        Raises ``UserError`` when waiting cannot help.
        """
        pause, told = _FIRST_PAUSE, False
        while True:
            try:
                return await self._obtain()
            except Unanswered as away:
                if not told:
                    say(f"the control plane at {self._config.join_url} does not answer ({away}), trying on")
                told = True
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE / 6)

    async def renew(self) -> None:
        """Renew now. Raises ``Unanswered``."""
        self._take(await self._renew())

    async def keep_fresh(self) -> None:
        """Renew at half life, or when the authority has changed, for ever.

        A control plane that is away is asked again, ever louder.
        """
        async with tasks() as group:
            group.start(self._follow(), "changes of the authority")
            while True:
                await self._until_due()
                self._outdated.clear()
                await self._renew_at_last()

    async def _obtain(self) -> None:
        roots = await self._roots()
        kept = load(self._directory, self._clock.now())
        if kept is not None and (accepts(roots, kept.issued.bundle) or accepts(roots, kept.origin)):
            return self._take(kept)
        self._take(await self._return(kept_in(self._directory), roots))
        return None

    async def _return(self, kept: Credentials | None, roots: str) -> Credentials:
        """Renew with a certificate that has ended; join where that cannot be, if somebody left a token."""
        if kept is None or not (accepts(roots, kept.issued.bundle) or accepts(roots, kept.origin)):
            return await self._join(roots)
        client = self._stranger(roots + kept.issued.bundle)
        pair, answer = await self._asked(client, "/v1/renew", {"ended": kept.issued.chain}, kept.key)
        if answer.status in (429, 503):
            raise Unanswered(answer.reason)
        if answer.status == 200:
            say("the certificate had ended and is renewed")
            self._outdated.set()
            return self._credentials(pair.key, answer, kept.origin)
        path = self._config.token_file
        if self._config.proof is not ProofKind.SOCKET and (path is None or not path.exists()):
            refusal = f"the certificate of {self._config.name} has ended and is not renewed: {answer.refusal}"
            raise Denied(refusal, help=answer.help)
        say(f"the certificate has ended and is not renewed: {answer.refusal}; joining again")
        return await self._join(roots)

    def _stranger(self, roots: str) -> HttpClient:
        """Asks the control plane without a certificate."""
        return self._doors.client(verifying(roots), _TIMEOUT)

    async def _roots(self) -> str:
        """The named roots; what was kept answers for a fingerprint while the control plane is away, or has another."""
        try:
            return await named_roots(self._config, lambda believing: self._doors.client(believing, _FIRST_TIMEOUT))
        except (Unanswered, UserError):
            kept = kept_in(self._directory)
            if kept is None or not self._config.ca_fingerprint:
                raise
            return matching(kept.issued.bundle + kept.origin, self._config.ca_fingerprint)

    async def _join(self, roots: str) -> Credentials:
        proof = self._proof()
        pair, answer = await self._asked(self._door_of_joins(roots), "/v1/join", proof)
        if answer.status in (429, 503):
            raise Unanswered(answer.reason)
        if answer.status != 200:
            refusal = f"the control plane refused to let {self._config.name} join: {answer.refusal}"
            raise Denied(refusal, help=answer.help)
        return self._credentials(pair.key, answer, roots)

    async def _asked(
        self, client: HttpClient, path: str, proof: dict[str, str], key: str = ""
    ) -> tuple[KeyPair, Answer]:
        """Ask for a certificate, and once more with the name in the request if whoever signs wants to read it there."""
        while True:
            pair = await new_key(key, self._named)
            body = msgspec.json.encode(proof | {"csr": pair.csr, "name": self._config.name})
            answer = await client.request("POST", path, body)
            content = answer.json() if answer.status == _NAME_YOURSELF else None
            uri = content.get("identity", "") if isinstance(content, dict) else ""
            if not uri or uri == self._named:
                return pair, answer
            self._named = str(uri)

    def _door_of_joins(self, roots: str) -> HttpClient:
        path = self._config.join_socket
        if path is None:
            return self._stranger(roots)
        return HttpClient(lambda: asyncio.open_unix_connection(path), "localhost", _TIMEOUT)

    def _proof(self) -> dict[str, str]:
        """What proves the workload; read each time, since others write it anew."""
        kind = self._config.proof
        if kind is ProofKind.SOCKET:
            return {"namespace": self._config.namespace, "service_account": self._config.account}
        return {kind.value: self._token()}

    def _token(self) -> str:
        path = self._config.token_file
        if path is None:
            raise UserError(
                f"{self._config.name} has no certificate yet and no token to get one",
                help=_NEW_TOKEN,
            )
        try:
            token = path.read_text("ascii").strip()
        except OSError as unreadable:
            reason = (unreadable.strerror or str(unreadable)).lower()
            raise UserError(f"--token-file {path} cannot be read ({reason})", help="check its path") from unreadable
        except ValueError as damaged:
            raise UserError(f"--token-file {path} holds no token", help=_NEW_TOKEN) from damaged
        if not token:
            raise UserError(f"--token-file {path} is empty", help=_NEW_TOKEN)
        return token

    async def _renew(self) -> Credentials:
        pair, answer = await self._asked(self.client, "/v1/renew", {})
        if answer.status != 200:
            raise Unanswered(answer.reason)
        return self._credentials(pair.key, answer, self.current.origin)

    async def _follow(self) -> None:
        """Ask now and then whether the authority is still the one that issued, and renew when it is not."""
        pause = _FIRST_ASKED
        while True:
            await asyncio.sleep(pause * self._chance.uniform(0.8, 1.2))
            issued = self.current.issued
            held = issued.authority
            body = msgspec.json.encode({"name": self._config.name, "authority": held, "expires": issued.expires})
            try:
                answer = await self.client.request("PUT", "/v1/authority", body)
                told = msgspec.json.decode(answer.body, type=_Told) if answer.status == 200 else _Told(authority=held)
            except (Unanswered, msgspec.MsgspecError):
                continue
            pause = min(max(told.again_seconds, 0.1), _LONGEST_NAP)
            if told.authority != held:
                self._outdated.set()

    async def _again(self) -> Credentials:
        """Renew, also when the certificate has ended, or join once more when somebody left a new token."""
        if self.current.left(self._clock.now()) > 0:
            return await self._renew()
        return await self._return(self.current, await self._roots())

    async def _renew_at_last(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                return self._take(await self._again())
            except (Unanswered, UserError) as failed:
                self._complain(failed)
            await asyncio.sleep(pause * self._chance.uniform(0.8, 1.2))
            pause = min(pause * 2, _LONGEST_PAUSE, max(self._whole() / 20, _FIRST_PAUSE))

    def _complain(self, failed: Exception) -> None:
        now = self._clock.now()
        left = self.current.left(now)
        seconds = max(self.current.issued.expires - now, 0)
        if left == 0:
            say(f"the certificate has expired, new connections fail: {failed}")
        elif left < _WORRYING:
            say(f"the certificate ends in {seconds:.0f} s and could not be renewed: {failed}")

    async def _until_due(self) -> None:
        """Wait for half of the life, give or take a twentieth, so that a fleet does not come at once."""
        due = self.current.since + self._whole() * self._chance.uniform(0.475, 0.525)
        while (rest := due - self._clock.now()) > 0 and not self._outdated.is_set():
            with contextlib.suppress(TimeoutError):  # the wall clock has no event: machines sleep
                await asyncio.wait_for(self._outdated.wait(), min(rest, _LONGEST_NAP))

    def _whole(self) -> float:
        return self.current.issued.expires - self.current.since

    def _credentials(self, key: str, answer: Answer, origin: str) -> Credentials:
        try:
            issued = msgspec.json.decode(answer.body, type=Issued)
        except msgspec.MsgspecError as odd:
            raise Unanswered("the control plane's answer is not understood") from odd
        return Credentials(key=key, issued=issued, since=self._clock.now(), origin=origin)

    def _take(self, credentials: Credentials) -> None:
        """Use, keep and publish new credentials."""
        context = verifying(credentials.issued.bundle)
        present(context, credentials, self._directory)
        save(credentials, self._directory)
        if self._client is not None:
            self._client.close()
        self._client = self._doors.client(context, _TIMEOUT, keep=True)
        self.latest.set(credentials)
