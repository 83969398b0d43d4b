"""Stories of contracts, of their entries' times to live, and of the network's own rules."""

from __future__ import annotations

from collections.abc import Iterator

from local.sample_network import config, scval
from local.sample_network.encode import NATIVE
from local.sample_network.entries import contract_data_key
from local.sample_network.host import instance_key
from local.sample_network.keys import contract_of, sha256
from local.sample_network.operations.contracts import (
    AssetCall,
    Authorization,
    CreateAssetContract,
    CreateContract,
    ExtendFootprintTtl,
    RestoreFootprint,
    UploadWasm,
    contract_id,
)
from local.sample_network.operations.vault import (
    Deposit,
    Describe,
    Increment,
    Panic,
    Recall,
    Remember,
    Vault,
    Withdraw,
    wasm,
)
from local.sample_network.scenario.cast import XLM, Cast, Step
from local.sample_network.transactions import NON_REFUNDABLE

TRAPPED = (-2,)
ARCHIVED = (-4,)
LONG = 5_000
"""Ledgers."""

ENOUGH = 2_000_000
"""Stroops for the rent of a long time to live."""


def founding(cast: Cast) -> Iterator[Step]:
    """Creates the contract of lumens, once."""
    yield [cast.found("founder")]
    yield [cast.does("founder", CreateAssetContract(NATIVE))]
    keys = (instance_key(contract_of(NATIVE)),)
    yield [cast.does("founder", ExtendFootprintTtl(keys, 100 * LONG), resource_fee=50_000_000)]


def tokens(cast: Cast) -> Iterator[Step]:
    """An asset's contract: accounts, contracts and the issuer pay each other through it."""
    usd = cast.asset("USD")
    token = contract_of(usd)
    code = wasm("vault")
    vault = Vault(contract_id(cast.key("keeper"), sha256(b"tokens")), sha256(code))
    holder, keeper = scval.of_account(cast.key("holder")), scval.of_account(cast.key("keeper"))
    issuer, safe = scval.of_account(cast.key("issuer")), scval.of_contract(vault.contract)
    yield [cast.found("issuer", "holder", "keeper")]
    yield [*next(cast.endow(usd, "issuer", "holder")), cast.does("keeper", UploadWasm(code))]
    yield [
        cast.does("issuer", CreateAssetContract(usd)),
        cast.does("keeper", CreateContract(cast.key("keeper"), sha256(b"tokens"), sha256(code))),
    ]
    lived = (instance_key(token), *vault.keys)
    yield [cast.does("keeper", ExtendFootprintTtl(lived, LONG), resource_fee=ENOUGH)]
    yield [cast.does("issuer", AssetCall(usd, "mint", None, holder, 700 * XLM))]
    yield [cast.does("issuer", AssetCall(usd, "mint", None, safe, 50 * XLM))]
    yield [cast.does("holder", AssetCall(usd, "transfer", holder, safe, 120 * XLM))]
    yield [cast.does("holder", AssetCall(usd, "burn", holder, None, 30 * XLM))]
    # The holder signs, somebody else sends; the same signature a second time is refused.
    word = Authorization(cast.key("holder"), 2**40 + cast.engine.chain.sequence, cast.engine.chain.sequence + 12)
    sent = AssetCall(usd, "transfer", holder, safe, 2 * XLM, authorization=word)
    yield [cast.does("keeper", sent)]
    yield [cast.does("keeper", sent, expected=TRAPPED)]
    yield [
        # To the issuer: burnt. Somebody without a trust line, and more than there is: trapped.
        cast.does("holder", AssetCall(usd, "transfer", holder, issuer, XLM)),
    ]
    yield [
        cast.does("issuer", AssetCall(usd, "transfer", issuer, keeper, XLM), expected=TRAPPED),
        cast.does("holder", AssetCall(usd, "transfer", holder, safe, 9_000 * XLM), expected=TRAPPED),
        cast.does("keeper", CreateAssetContract(usd), expected=TRAPPED),
    ]
    yield [cast.does("holder", Deposit(vault=vault, caller=cast.key("holder"), asset=usd, amount=5 * XLM))]
    yield [cast.does("holder", Withdraw(vault=vault, caller=cast.key("holder"), asset=usd, amount=8 * XLM))]


def lumens(cast: Cast) -> Iterator[Step]:
    """Lumens in a contract: they still count as the network's."""
    code = wasm("vault")
    vault = Vault(contract_id(cast.key("keeper"), sha256(b"lumens")), sha256(code))
    keeper = scval.of_account(cast.key("keeper"))
    yield [cast.found("keeper", "friend")]
    yield [cast.does("keeper", UploadWasm(code))]
    arguments = (scval.address(keeper), scval.of_u32(3), scval.string("constructed"))
    create = CreateContract(cast.key("keeper"), sha256(b"lumens"), sha256(code), arguments)
    yield [cast.does("keeper", create)]
    yield [cast.does("keeper", ExtendFootprintTtl(vault.keys, LONG), resource_fee=ENOUGH)]
    yield [cast.does("keeper", Deposit(vault=vault, caller=cast.key("keeper"), asset=NATIVE, amount=250 * XLM))]
    yield [
        cast.does("friend", Withdraw(vault=vault, caller=cast.key("friend"), asset=NATIVE, amount=45 * XLM)),
        cast.does("keeper", create, expected=TRAPPED),
    ]
    transfer = AssetCall(NATIVE, "transfer", keeper, scval.of_account(cast.key("friend")), 3 * XLM)
    yield [cast.does("keeper", transfer)]
    yield [
        cast.does("friend", Describe(vault=vault)),
        cast.does("keeper", Panic(vault=vault), expected=TRAPPED, fee_source=cast.party("friend")),
    ]


def lives(cast: Cast) -> Iterator[Step]:
    """Entries that expire, are evicted, and are restored or not."""
    code = wasm(f"vault of {cast.telling}")
    vault = Vault(contract_id(cast.key("keeper"), sha256(b"lives")), sha256(code))
    yield [cast.found("keeper", "other", amount=200 * XLM)]
    yield [cast.does("keeper", UploadWasm(code))]
    yield [cast.does("keeper", CreateContract(cast.key("keeper"), sha256(b"lives"), sha256(code)))]
    short = NON_REFUNDABLE + 10  # too low for any rent
    refused = Remember(vault=vault, name=scval.symbol("a"), value=scval.VOID)
    yield [
        cast.does("keeper", Increment(vault=vault, caller=cast.key("keeper"), by=1)),
        cast.does(
            "other", ExtendFootprintTtl(vault.keys, LONG), resource_fee=short, expected=(-3,)
        ),  # the fee is too low
    ]
    yield [
        cast.does("other", Increment(vault=vault, caller=cast.key("other"), by=41)),
        cast.does("keeper", refused, resource_fee=short, expected=(-5,)),
    ]
    name = scval.vector([scval.symbol("Note"), scval.of_u64(7)])
    value = scval.record(text=scval.string("kept"), number=scval.i128(-(2**70)))
    yield [cast.does("keeper", Remember(vault=vault, name=name, value=value))]
    yield [cast.does("other", Remember(vault=vault, name=name, value=scval.of_bool(False), persistent=False))]
    yield [cast.does("other", ExtendFootprintTtl(vault.keys, 100))]
    note = contract_data_key(vault.contract, name)
    yield from _until_archived(cast, note)
    yield [cast.does("keeper", Remember(vault=vault, name=name, value=scval.VOID), expected=ARCHIVED)]
    yield [cast.does("other", RestoreFootprint((note,)), resource_fee=short, expected=(-3,))]
    yield [cast.does("keeper", RestoreFootprint((note,)))]
    yield [cast.does("keeper", Remember(vault=vault, name=name, value=scval.of_u32(2)))]
    yield from _until_archived(cast, note)
    recall = Recall(vault=vault, name=name, restoring=(note,))
    yield [cast.does("other", recall)]
    yield [cast.does("keeper", Recall(vault=vault, name=scval.symbol("never kept")), expected=TRAPPED)]


def _until_archived(cast: Cast, key: bytes) -> Iterator[Step]:
    for _ in range(2 * config.MIN_PERSISTENT_TTL):
        if key in cast.engine.archive:
            break
        yield []


def rules(cast: Cast) -> Iterator[Step]:
    """The network's own rules change: fee, sizes, and a setting that was proposed in a contract's data."""
    code = wasm("vault")
    vault = Vault(contract_id(cast.key("validator"), sha256(b"rules")), sha256(code))
    yield [cast.found("validator")]
    yield [cast.does("validator", UploadWasm(code)), config.base_fee(300 - cast.engine.chain.base_fee)]
    yield [cast.does("validator", CreateContract(cast.key("validator"), sha256(b"rules"), sha256(code)))]
    proposal = config.EVENTS_PROPOSAL
    propose = Remember(
        vault=vault,
        name=scval.of_bytes(sha256(proposal)),
        value=scval.of_bytes(proposal),
        persistent=False,
    )
    yield [cast.does("validator", propose)]
    yield [config.settings(vault.contract), config.max_soroban_tx_set_size(120)]
    yield [config.max_tx_set_size(cast.engine.chain.max_tx_set_size + 50)]
