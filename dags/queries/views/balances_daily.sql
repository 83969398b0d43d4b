-- The balance of each holder at the end of each UTC day on which it changed.
-- Braces contain names of tables and views, and the native asset contract.
SELECT
  b.day,
  b.holder,
  COALESCE(k.asset, b.asset) AS asset,
  COALESCE(k.asset_type, b.asset_type) AS asset_type,
  b.entry_type,
  b.entry_key,
  b.amount,
  b.deleted,
  b.ledger_sequence,
  b.closed_at
FROM (
  SELECT
    DATE(closed_at) AS day, holder, asset, asset_type, entry_type, entry_key, amount, deleted, ledger_sequence, closed_at
  FROM {balances}
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY entry_type, entry_key, DATE(closed_at) ORDER BY ledger_sequence DESC
  ) = 1
) AS b
LEFT JOIN (
  SELECT contract_id, CONCAT(asset_code, ':', asset_issuer) AS asset, asset_type
  FROM {contract_data_current}
  WHERE contract_key_type = 'ScValTypeScvLedgerKeyContractInstance' AND asset_code <> ''
  UNION ALL
  SELECT {native_contract} AS contract_id, 'native' AS asset, 'native' AS asset_type
) AS k ON k.contract_id = b.asset
