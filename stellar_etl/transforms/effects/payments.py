"""Effects of payments, path payments and clawbacks."""

from __future__ import annotations

from collections.abc import Iterator

from stellar_etl.transforms.effects.applied import AppliedOperation, money_details
from stellar_etl.transforms.effects.effect import Made
from stellar_etl.transforms.effects.trades import OFFER_EFFECTS, trades
from stellar_etl.transforms.shared.path_payments import amount_sent


def payment(op: AppliedOperation) -> Iterator[Made]:
    """Yield both sides of the payment."""
    money = money_details(op.body["amount"], op.body["asset"])
    yield op.body["destination"], "account_credited", money
    yield op.source, "account_debited", money


def path_payment_strict_receive(op: AppliedOperation) -> Iterator[Made]:
    """Yield both sides of the payment, and its trades."""
    body, success = op.body, op.operation.success()
    yield body["destination"], "account_credited", money_details(body["destAmount"], body["destAsset"])
    yield op.source, "account_debited", money_details(amount_sent(success), body["sendAsset"])
    yield from trades(op, success["offers"], OFFER_EFFECTS)


def path_payment_strict_send(op: AppliedOperation) -> Iterator[Made]:
    """Yield both sides of the payment, and its trades."""
    body, success = op.body, op.operation.success()
    yield body["destination"], "account_credited", money_details(success["last"]["amount"], body["destAsset"])
    yield op.source, "account_debited", money_details(body["sendAmount"], body["sendAsset"])
    yield from trades(op, success["offers"], OFFER_EFFECTS[:-1])


def clawback(op: AppliedOperation) -> Iterator[Made]:
    """Yield both sides of the clawback: the source is the issuer."""
    money = money_details(op.body["amount"], op.body["asset"])
    yield op.source, "account_credited", money
    yield op.body["from_"], "account_debited", money  # as the SDK's definition spells it
