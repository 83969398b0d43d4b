-- One row per trade. The ledger is part of the id of the operation, and is not sent. The parameters are bounds of the close
-- times of loaded ledgers: the condition limits the query to their partitions.
SELECT
  t.history_operation_id,
  t.`order`,
  t.history_operation_id >> 32 AS ledger_sequence,
  t.ledger_closed_at,
  t.selling_asset_code,
  t.selling_asset_issuer,
  t.selling_amount,
  t.buying_asset_code,
  t.buying_asset_issuer,
  t.buying_amount,
  t.price_n,
  t.price_d
FROM {trades} AS t
WHERE t.ledger_closed_at BETWEEN @first_closed_at AND @last_closed_at
