-- Balances of all holders, one row per ledger entry and ledger that changed it.
-- Braces contain names of tables and views, and conditions. `_range` selects the rows from the first ledger on.
-- `_valid` selects the versions of entries that were valid directly before it, from the view `_before`.
-- `ledger_entry_change` is 0 if the ledger created the entry, and 4 if it restored the entry from the archive.
WITH
entries AS (
  SELECT
    'account' AS entry_type,
    account_id AS entry_key,
    account_id AS holder,
    'native' AS asset,
    'native' AS asset_type,
    IF(deleted, 0, ROUND(CAST(balance AS NUMERIC) * 10000000)) AS amount,
    deleted,
    ledger_entry_change,
    ledger_sequence,
    closed_at
  FROM (
    SELECT a.account_id, a.balance, a.deleted, a.ledger_entry_change, a.ledger_sequence, a.closed_at
    FROM {accounts} AS a
    WHERE {accounts_range}
    UNION ALL
    SELECT a.account_id, a.balance, a.deleted, a.ledger_entry_change, a.ledger_sequence, a.closed_at
    FROM {accounts_before} AS a
    WHERE {accounts_valid}
  )
  UNION ALL
  SELECT
    'trust_line' AS entry_type,
    ledger_key AS entry_key,
    account_id AS holder,
    IF(asset_type = 'pool_share', liquidity_pool_id_strkey, CONCAT(asset_code, ':', asset_issuer)) AS asset,
    asset_type,
    IF(deleted, 0, ROUND(CAST(balance AS NUMERIC) * 10000000)) AS amount,
    deleted,
    ledger_entry_change,
    ledger_sequence,
    closed_at
  FROM (
    SELECT t.ledger_key, t.account_id, t.asset_type, t.asset_code, t.asset_issuer, t.liquidity_pool_id_strkey,
      t.balance, t.deleted, t.ledger_entry_change, t.ledger_sequence, t.closed_at
    FROM {trustlines} AS t
    WHERE {trustlines_range}
    UNION ALL
    SELECT t.ledger_key, t.account_id, t.asset_type, t.asset_code, t.asset_issuer, t.liquidity_pool_id_strkey,
      t.balance, t.deleted, t.ledger_entry_change, t.ledger_sequence, t.closed_at
    FROM {trustlines_before} AS t
    WHERE {trustlines_valid}
  )
  UNION ALL
  SELECT
    'claimable_balance' AS entry_type,
    balance_id AS entry_key,
    balance_id_strkey AS holder,
    IF(asset_type = 'native', 'native', CONCAT(asset_code, ':', asset_issuer)) AS asset,
    asset_type,
    IF(deleted, 0, ROUND(CAST(asset_amount AS NUMERIC) * 10000000)) AS amount,
    deleted,
    ledger_entry_change,
    ledger_sequence,
    closed_at
  FROM (
    SELECT c.balance_id, c.balance_id_strkey, c.asset_type, c.asset_code, c.asset_issuer, c.asset_amount,
      c.deleted, c.ledger_entry_change, c.ledger_sequence, c.closed_at
    FROM {claimable_balances} AS c
    WHERE {claimable_balances_range}
    UNION ALL
    SELECT c.balance_id, c.balance_id_strkey, c.asset_type, c.asset_code, c.asset_issuer, c.asset_amount,
      c.deleted, c.ledger_entry_change, c.ledger_sequence, c.closed_at
    FROM {claimable_balances_before} AS c
    WHERE {claimable_balances_valid}
  )
  UNION ALL
  SELECT
    'liquidity_pool' AS entry_type,
    CONCAT(liquidity_pool_id, ':', side) AS entry_key,
    liquidity_pool_id_strkey AS holder,
    IF(
      side = 'a',
      IF(asset_a_type = 'native', 'native', CONCAT(asset_a_code, ':', asset_a_issuer)),
      IF(asset_b_type = 'native', 'native', CONCAT(asset_b_code, ':', asset_b_issuer))
    ) AS asset,
    IF(side = 'a', asset_a_type, asset_b_type) AS asset_type,
    IF(
      deleted, 0, ROUND(CAST(IF(side = 'a', asset_a_amount, asset_b_amount) AS NUMERIC) * 10000000)
    ) AS amount,
    deleted,
    ledger_entry_change,
    ledger_sequence,
    closed_at
  FROM (
    SELECT p.liquidity_pool_id, p.liquidity_pool_id_strkey, p.asset_a_type, p.asset_a_code, p.asset_a_issuer,
      p.asset_a_amount, p.asset_b_type, p.asset_b_code, p.asset_b_issuer, p.asset_b_amount,
      p.deleted, p.ledger_entry_change, p.ledger_sequence, p.closed_at
    FROM {liquidity_pools} AS p
    WHERE {liquidity_pools_range}
    UNION ALL
    SELECT p.liquidity_pool_id, p.liquidity_pool_id_strkey, p.asset_a_type, p.asset_a_code, p.asset_a_issuer,
      p.asset_a_amount, p.asset_b_type, p.asset_b_code, p.asset_b_issuer, p.asset_b_amount,
      p.deleted, p.ledger_entry_change, p.ledger_sequence, p.closed_at
    FROM {liquidity_pools_before} AS p
    WHERE {liquidity_pools_valid}
  )
  CROSS JOIN UNNEST(['a', 'b']) AS side
  UNION ALL
  SELECT
    'contract_data' AS entry_type,
    ledger_key_hash AS entry_key,
    balance_holder AS holder,
    contract_id AS asset,
    'contract' AS asset_type,
    IF(deleted, 0, SAFE_CAST(balance AS NUMERIC)) AS amount,
    deleted,
    ledger_entry_change,
    ledger_sequence,
    closed_at
  FROM (
    SELECT d.ledger_key_hash, d.contract_id, d.balance_holder, d.balance,
      d.deleted, d.ledger_entry_change, d.ledger_sequence, d.closed_at
    FROM {contract_data} AS d
    WHERE d.balance <> '' AND {contract_data_range}
    UNION ALL
    SELECT d.ledger_key_hash, d.contract_id, d.balance_holder, d.balance,
      d.deleted, d.ledger_entry_change, d.ledger_sequence, d.closed_at
    FROM {contract_data_before} AS d
    WHERE d.balance <> '' AND {contract_data_valid}
  )
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
      ELSE LAG(amount) OVER (PARTITION BY entry_type, entry_key ORDER BY ledger_sequence)
    END AS amount_before
  FROM entries
)
WHERE ledger_sequence >= @start_ledger
