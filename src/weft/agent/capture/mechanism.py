"""Who can hold the rules here: tried without changing anything, the best first."""

from weft.agent.capture.config import Mechanism
from weft.agent.capture.host import has_ipv6, run, tool
from weft.agent.capture.iptables import iptables_text, undo_iptables_text
from weft.agent.capture.nft import nft_text, undo_text
from weft.agent.capture.rules import Rules
from weft.kit.errors import UserError

OWNED, NFT, IPTABLES = "nft-owned", "nft", "iptables"
FAMILIES = ((4, "iptables-restore"), (6, "ip6tables-restore"))
_HELP = "install nftables (or iptables), and run this as root or with CAP_NET_ADMIN"


async def mechanism_for(rules: Rules, wanted: Mechanism) -> str:
    """``nft-owned``, ``nft`` or ``iptables``. Raises ``UserError`` that says what each refused."""
    refusals = []
    ways = {Mechanism.NFT: (OWNED, NFT), Mechanism.IPTABLES: (IPTABLES,)}.get(wanted, (OWNED, NFT, IPTABLES))
    for way in (one for one in ways if one != OWNED or not rules.lasting):
        refusal = await _refusal(way, rules)
        if not refusal:
            return way
        refusals.append(f"{way}: {refusal}")
    raise UserError("this host takes no rules: " + "; ".join(dict.fromkeys(refusals)), help=_HELP)


async def install(way: str, rules: Rules) -> None:
    """Put the rules in, all or none, in the place of those that are there; there is no moment without any.

    Those of ``nft-owned`` the guardian puts in. Raises ``UserError``.
    """
    for command, text in await installing(way, rules):
        said = await run(command, text)
        if said.code:
            if not rules.lasting:
                await uninstall(way, rules)
            raise UserError(f"the rules were refused: {first_line(said.err)}", help="see: weft capture plan")


async def uninstall(way: str, rules: Rules) -> bool:
    """Take them out; whether there were any."""
    found = False
    for command, text in removing(way, rules):
        found |= (await run(command, text)).code == 0
    return found


async def present(way: str, rules: Rules) -> bool:
    """Whether they are in force."""
    if way == IPTABLES:
        return await _has_chains("iptables", rules)
    return (await run((tool("nft"), "list", "table", "inet", rules.table))).code == 0


async def installing(way: str, rules: Rules) -> list[tuple[tuple[str, ...], str]]:
    """The commands that put the rules in, each with what it reads."""
    if way == NFT:
        return [((tool("nft"), "-f", "-"), undo_text(rules.table) + nft_text(rules, owned=False))]
    found: list[tuple[tuple[str, ...], str]] = []
    for version, name in families() if way == IPTABLES else ():
        led = await _has_chains(name.removesuffix("-restore"), rules)
        found.append(((tool(name), "--noflush", "-w", "5"), iptables_text(rules, version, led=led)))
    return found


async def _has_chains(name: str, rules: Rules) -> bool:
    """Whether a family has the workload's chains: then something leads to them, too."""
    return (await run((tool(name), "-w", "5", "-t", "nat", "-S", f"WEFT_HOST_{rules.chain}"))).code == 0


def removing(way: str, rules: Rules) -> list[tuple[tuple[str, ...], str]]:
    """The commands that take them out; a table that is owned goes with its owner."""
    if way == IPTABLES:
        return [((tool(name), "--noflush", "-w", "5"), undo_iptables_text(rules)) for _, name in families()]
    return [((tool("nft"), "-f", "-"), undo_text(rules.table))] if way == NFT else []


def families() -> list[tuple[int, str]]:
    """The families of this host and their tools."""
    return [family for family in FAMILIES if family[0] == 4 or has_ipv6()]


def first_line(text: str) -> str:
    """What a tool said first, without its name and place."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return lines[0].removeprefix("Error: ") if lines else "no reason is given"


async def _refusal(way: str, rules: Rules) -> str:
    """Why this way does not go; "" if it does."""
    if way == IPTABLES:
        return await _iptables_refusal(rules)
    nft = tool("nft")
    if not nft:
        return "there is no nft"
    if way == OWNED and not _interactive((await run((nft, "-V"))).out):
        return "this nft was built without its interactive mode"
    said = await run((nft, "-c", "-f", "-"), nft_text(rules, owned=way == OWNED))
    return first_line(said.err) if said.code else ""


async def _iptables_refusal(rules: Rules) -> str:
    for version, name in families():
        path = tool(name)
        if not path:
            return f"there is no {name}"
        said = await run((path, "--test", "--noflush"), iptables_text(rules, version))
        if said.code:
            return first_line(said.err)
    return ""


def _interactive(versions: str) -> bool:
    """``nft -V`` says ``cli: editline``, ``readline``, ``linenoise`` or ``no``."""
    words = next((line.split() for line in versions.splitlines() if line.strip().startswith("cli:")), [])
    return len(words) > 1 and words[1] != "no"
