-- Token events with amounts in whole units. The contract of the token has the number of decimals.
-- Braces contain names of tables and views.
SELECT
  t.transaction_hash,
  t.transaction_id,
  t.operation_id,
  t.event_index,
  t.event_topic,
  t.`from`,
  t.`to`,
  t.asset,
  t.asset_type,
  t.contract_id,
  t.amount_raw,
  t.decimals,
  CASE
    WHEN t.decimals IS NULL THEN NULL
    WHEN t.decimals = 0 THEN t.amount_raw
    ELSE CONCAT(
      SUBSTR(t.padded, 1, LENGTH(t.padded) - t.decimals), '.', SUBSTR(t.padded, LENGTH(t.padded) - t.decimals + 1)
    )
  END AS amount_text,
  SAFE_CAST(t.amount_raw AS FLOAT64) / POW(10, t.decimals) AS amount,
  t.ledger_sequence,
  t.closed_at
FROM (
  SELECT
    t.*,
    IF(t.asset_type <> '', 7, d.decimals) AS decimals,
    CONCAT(
      REPEAT('0', GREATEST(0, IF(t.asset_type <> '', 7, COALESCE(d.decimals, 0)) + 1 - LENGTH(t.amount_raw))),
      t.amount_raw
    ) AS padded
  FROM {transfers} AS t
  LEFT JOIN (
    SELECT d.contract_id, MAX(SAFE_CAST(JSON_VALUE(part, '$.val.u32') AS INT64)) AS decimals
    FROM {contract_data_current} AS d
    CROSS JOIN UNNEST(JSON_QUERY_ARRAY(d.val_decoded, '$.contract_instance.storage')) AS item
    CROSS JOIN UNNEST(JSON_QUERY_ARRAY(item, '$.val.map')) AS part
    WHERE d.contract_key_type = 'ScValTypeScvLedgerKeyContractInstance'
      AND JSON_VALUE(item, '$.key.symbol') = 'METADATA'
      AND JSON_VALUE(part, '$.key.symbol') = 'decimal'
    GROUP BY d.contract_id
  ) AS d ON d.contract_id = t.contract_id
) AS t
