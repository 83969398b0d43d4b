"""Stories of accounts: options, signers, data, sequence numbers, the end of an account, and odd envelopes."""

from __future__ import annotations

from collections.abc import Iterator

from local.sample_network.encode import NATIVE, ed25519_signer, hash_x, pre_authorized, signed_payload
from local.sample_network.keys import sha256
from local.sample_network.operations.accounts import BumpSequence, Inflation, ManageData, SetOptions
from local.sample_network.operations.payments import AccountMerge, CreateAccount, Payment
from local.sample_network.operations.trust import ChangeTrust
from local.sample_network.run import Party
from local.sample_network.scenario.cast import LIMIT, XLM, Cast, Step
from local.sample_network.transactions import (
    Conditions,
    Payload,
    memo_hash,
    memo_id,
    memo_return,
    memo_text,
    signed,
)


def signers(cast: Cast) -> Iterator[Step]:
    """An account that others sign for: by keys, a secret, a payload, and a transaction agreed on beforehand."""
    owner, secret, payload = cast.key("owner"), f"{cast.telling} secret", b"payload of 13"
    second, agent = ed25519_signer(cast.key("second")), cast.key("agent")
    yield [cast.found("owner", "agent", "other")]
    yield [
        cast.does(
            "owner",
            SetOptions(
                inflation_destination=cast.key("other"), low=1, medium=2, high=3, master=3, home_domain="sample.example"
            ),
            SetOptions(signer=(second, 2)),
            SetOptions(signer=(hash_x(sha256(secret.encode())), 2)),
            SetOptions(signer=(signed_payload(agent, payload), 2)),
        )
    ]
    pay = Payment(cast.party("other"), NATIVE, XLM)
    yield [cast.does("owner", pay, signers=(cast.key("second"),))]
    yield [cast.does("owner", pay, signers=(secret,))]
    yield [cast.does("owner", pay, signers=(Payload(agent, payload),))]
    # Agreed on now, sent by anybody later: nobody signs it.
    agreed = cast.does("owner", pay, pay, conditions=Conditions(until=None), signers=())
    digest = signed(agreed, cast.account("owner").sequence + 2, 0).inner
    yield [cast.does("owner", SetOptions(signer=(pre_authorized(digest), 3)))]
    yield [agreed]
    yield [
        cast.does("owner", pay, signers=(agent,), expected=-6),  # a key that is no signer
        cast.does("other", pay, signers=(cast.key("other"), agent), expected=-10),  # one signature too many
        cast.does("agent", Payment(Party(owner), NATIVE, XLM, source=Party(owner)), signers=(agent,), expected=(-1,)),
    ]
    yield [
        # Weight 2 pays, but does not change who may sign.
        cast.does("owner", SetOptions(master=0), signers=(cast.key("second"),), expected=(-1,)),
        cast.does("other", SetOptions(signer=(ed25519_signer(cast.key("other")), 1)), expected=(-8,)),  # BAD_SIGNER
        cast.does("agent", SetOptions(high=256), expected=(-7,)),  # THRESHOLD_OUT_OF_RANGE
    ]
    yield [
        cast.does("owner", SetOptions(signer=(second, 3)), SetOptions(signer=(signed_payload(agent, payload), 0))),
        # INVALID_INFLATION
        cast.does("other", SetOptions(inflation_destination=cast.key("nobody")), expected=(-4,)),
    ]
    # The account's own key gives way to the other one.
    yield [cast.does("owner", SetOptions(master=0, signer=(hash_x(sha256(secret.encode())), 0)))]
    yield [cast.does("owner", pay, signers=(cast.key("second"),))]


def belongings(cast: Cast) -> Iterator[Step]:
    """Data entries, sequence numbers, inflation that never comes, and accounts that end."""
    yield [cast.found("owner", "heir", amount=100 * XLM)]
    yield [cast.does("owner", ManageData("config", b"\0\1\2"), ManageData("Grüße <&>", "späßle".encode() * 6))]
    yield [cast.does("owner", ManageData("config", b"changed"), BumpSequence(0))]
    yield [
        cast.does("owner", ManageData("absent", None), expected=(-2,)),  # NAME_NOT_FOUND
        cast.does("heir", BumpSequence(cast.account("heir").sequence + 1_000), ManageData("kept", bytes(64))),
    ]
    yield [
        cast.does("heir", Inflation(), expected=(-1,)),  # NOT_TIME
        cast.does("owner", BumpSequence(-1), expected=(-1,)),  # BAD_SEQ
    ]
    yield [
        cast.does("owner", AccountMerge(cast.party("heir")), expected=(-4,)),  # HAS_SUB_ENTRIES
        cast.does("heir", AccountMerge(cast.party("nobody")), expected=(-2,)),  # NO_ACCOUNT
    ]
    yield [cast.does("owner", ManageData("config", None), ManageData("Grüße <&>", None))]
    # Merged in the midst of a transaction: what follows has no account any more.
    yield [cast.does("owner", AccountMerge(cast.party("heir")), BumpSequence(0), expected=(0, -2))]
    yield [cast.does("owner", AccountMerge(cast.party("heir")))]


def envelopes(cast: Cast) -> Iterator[Step]:
    """Memos, multiplexed accounts, fee bumps and preconditions of every kind, and what failure looks like."""
    pay = cast.pays("payee", XLM)
    yield [cast.found("payer", "payee", "patron")]
    yield [
        cast.does("payer", pay, memo=memo_text("a memo of twenty-eight bytes")),
        cast.does("patron", pay, memo=memo_id(2**64 - 1)),
    ]
    yield [
        cast.does("payer", pay, memo=memo_hash(sha256(b"hash"))),
        cast.does("patron", pay, memo=memo_return(sha256(b"return")), conditions=Conditions(until=None)),
    ]
    muxed = Payment(cast.party("payee", 2**64 - 1), NATIVE, XLM, source=cast.party("payer", 9))
    yield [
        cast.does("payer", muxed, Payment(cast.party("payee", 0), NATIVE, 1), number=2**32),
        cast.does("patron", CreateAccount(cast.key("child"), 30 * XLM), memo=memo_text("for you")),
    ]
    yield [
        cast.does("payer", pay, fee_source=cast.party("patron"), bid=300),
        cast.does("payee", cast.pays("payer", 3), fee_source=cast.party("patron", 12345), memo=memo_text("bumped")),
    ]
    yield [
        # UNDERFUNDED, NO_DESTINATION
        cast.does("payer", cast.pays("payee", LIMIT), fee_source=cast.party("patron"), expected=(-2,)),
        cast.does("payee", pay, cast.pays("nobody", XLM), pay, expected=(0, -5, 0)),
    ]
    ledger, now = cast.engine.chain.sequence, cast.account("payer").sequence
    whole = Conditions(
        until=60,
        ledgers=(ledger - 1, ledger + 1_000),
        least_sequence=now - 5,
        least_age=1,
        least_gap=1,
        extra_signers=(ed25519_signer(cast.key("patron")),),
    )
    keys = (cast.key("payer"), cast.key("patron"))
    yield [
        cast.does("payer", pay, conditions=whole, sequence=now + 7, signers=keys),
        cast.does("payee", cast.pays("patron", 5), conditions=Conditions(until=None, ledgers=(0, 0))),
    ]
    yield [
        cast.does("payer", pay, sequence=now, expected=-5),  # a sequence number that is used already
        cast.does("payee", pay, conditions=Conditions(extra_signers=whole.extra_signers), expected=-6),
    ]
    # Two of one source in one ledger, one by a source of its own within another's.
    yield [
        cast.does("payer", pay),
        cast.does("payer", cast.pays("patron", 2)),
        cast.does("patron", Payment(cast.party("payee"), NATIVE, 4, source=cast.party("child"))),
    ]
    fake = cast.asset("FAKE", "nobody")
    yield [
        cast.does("payer", ChangeTrust(fake, LIMIT), expected=(-2,)),  # NO_ISSUER
        # LOW_RESERVE, ALREADY_EXIST
        cast.does(
            "patron", CreateAccount(cast.key("nobody"), 1), CreateAccount(cast.key("payee"), XLM), expected=(-3, -4)
        ),
    ]
