-- Balances of all holders, one row per ledger entry and ledger that changed it.
-- In braces: the changes from the first ledger of the batch on, and before them (`is_before`) the state of each entry.
-- `ledger_entry_change` is 0 if the ledger created the entry, and 4 if it restored the entry from the archive.
WITH
entries AS (
  SELECT
    'account' AS entry_type,
    a.account_id AS entry_key,
    a.account_id AS holder,
    'native' AS asset,
    'native' AS asset_type,
    IF(a.deleted, 0, ROUND(CAST(a.balance AS NUMERIC) * 10000000)) AS amount,
    a.deleted,
    a.ledger_entry_change,
    a.ledger_sequence,
    a.closed_at,
    a.is_before
  FROM {accounts} AS a
  UNION ALL
  SELECT
    'trust_line' AS entry_type,
    t.ledger_key AS entry_key,
    t.account_id AS holder,
    IF(t.asset_type = 'pool_share', t.liquidity_pool_id_strkey, CONCAT(t.asset_code, ':', t.asset_issuer)) AS asset,
    t.asset_type,
    IF(t.deleted, 0, ROUND(CAST(t.balance AS NUMERIC) * 10000000)) AS amount,
    t.deleted,
    t.ledger_entry_change,
    t.ledger_sequence,
    t.closed_at,
    t.is_before
  FROM {trustlines} AS t
  UNION ALL
  SELECT
    'claimable_balance' AS entry_type,
    c.balance_id AS entry_key,
    c.balance_id_strkey AS holder,
    IF(c.asset_type = 'native', 'native', CONCAT(c.asset_code, ':', c.asset_issuer)) AS asset,
    c.asset_type,
    IF(c.deleted, 0, ROUND(CAST(c.asset_amount AS NUMERIC) * 10000000)) AS amount,
    c.deleted,
    c.ledger_entry_change,
    c.ledger_sequence,
    c.closed_at,
    c.is_before
  FROM {claimable_balances} AS c
  UNION ALL
  SELECT
    'liquidity_pool' AS entry_type,
    CONCAT(p.liquidity_pool_id, ':', side) AS entry_key,
    p.liquidity_pool_id_strkey AS holder,
    IF(
      side = 'a',
      IF(p.asset_a_type = 'native', 'native', CONCAT(p.asset_a_code, ':', p.asset_a_issuer)),
      IF(p.asset_b_type = 'native', 'native', CONCAT(p.asset_b_code, ':', p.asset_b_issuer))
    ) AS asset,
    IF(side = 'a', p.asset_a_type, p.asset_b_type) AS asset_type,
    IF(
      p.deleted, 0, ROUND(CAST(IF(side = 'a', p.asset_a_amount, p.asset_b_amount) AS NUMERIC) * 10000000)
    ) AS amount,
    p.deleted,
    p.ledger_entry_change,
    p.ledger_sequence,
    p.closed_at,
    p.is_before
  FROM {liquidity_pools} AS p
  CROSS JOIN UNNEST(['a', 'b']) AS side
  UNION ALL
  SELECT
    'contract_data' AS entry_type,
    d.ledger_key_hash AS entry_key,
    d.balance_holder AS holder,
    d.contract_id AS asset,
    'contract' AS asset_type,
    IF(d.deleted, 0, SAFE_CAST(d.balance AS NUMERIC)) AS amount,
    d.deleted,
    d.ledger_entry_change,
    d.ledger_sequence,
    d.closed_at,
    d.is_before
  FROM {contract_data} AS d
  WHERE d.balance <> ''
)
SELECT
  entry_type,
  entry_key,
  holder,
  asset,
  asset_type,
  amount,
  amount_before,
  deleted,
  ledger_sequence,
  closed_at,
  @batch_id AS batch_id,
  @batch_run_date AS batch_run_date,
  @batch_insert_ts AS batch_insert_ts
FROM (
  SELECT
    *,
    CASE ledger_entry_change
      WHEN 0 THEN 0
      WHEN 4 THEN amount
      ELSE LAG(amount) OVER (PARTITION BY entry_type, entry_key ORDER BY ledger_sequence, is_before)
    END AS amount_before
  FROM entries
)
WHERE NOT is_before
