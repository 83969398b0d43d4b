-- Changes of the supply of each asset per UTC day: by token events, and by kind of holder.
-- Braces contain names of tables, and conditions that select the rows of the days of the batch.
WITH
events AS (
  SELECT
    CASE t.asset_type
      WHEN 'native' THEN 'native'
      WHEN '' THEN t.contract_id
      ELSE CONCAT(t.asset_code, ':', t.asset_issuer)
    END AS asset,
    IF(t.asset_type = '', 'contract', t.asset_type) AS asset_type,
    t.contract_id,
    t.event_topic,
    SAFE_CAST(t.amount_raw AS NUMERIC) AS amount,
    t.ledger_sequence,
    t.closed_at
  FROM {token_transfers} AS t
  WHERE {token_transfers_range}
),
contracts AS (
  SELECT contract_id, MIN(asset) AS asset, MIN(asset_type) AS asset_type
  FROM events
  GROUP BY contract_id
),
changes AS (
  SELECT
    asset,
    asset_type,
    IF(event_topic = 'mint', amount, 0) AS minted,
    IF(event_topic = 'burn', amount, 0) AS burned,
    IF(event_topic = 'clawback', amount, 0) AS clawed_back,
    IF(event_topic = 'fee', amount, 0) AS fees,
    CAST(NULL AS STRING) AS entry_type,
    CAST(0 AS NUMERIC) AS held,
    0 AS inexact,
    ledger_sequence,
    closed_at
  FROM events
  UNION ALL
  SELECT
    COALESCE(k.asset, b.asset) AS asset,
    COALESCE(k.asset_type, b.asset_type) AS asset_type,
    CAST(0 AS NUMERIC) AS minted,
    CAST(0 AS NUMERIC) AS burned,
    CAST(0 AS NUMERIC) AS clawed_back,
    CAST(0 AS NUMERIC) AS fees,
    b.entry_type,
    b.amount - b.amount_before AS held,
    -- Amounts that come from floats are exact up to 2^51 stroops.
    IF(
      b.amount_before IS NULL
        OR b.amount IS NULL
        OR b.entry_type <> 'contract_data' AND GREATEST(b.amount, b.amount_before) > 2251799813685248,
      1, 0
    ) AS inexact,
    b.ledger_sequence,
    b.closed_at
  FROM {balances} AS b
  LEFT JOIN contracts AS k ON k.contract_id = b.asset
  WHERE b.asset_type <> 'pool_share' AND {balances_range}
)
SELECT
  day,
  asset,
  asset_type,
  minted,
  burned,
  clawed_back,
  fees,
  minted - burned - clawed_back - fees AS supply_change,
  accounts_change,
  trust_lines_change,
  claimable_balances_change,
  liquidity_pools_change,
  contracts_change,
  inexact_changes,
  minted - burned - clawed_back - fees - accounts_change - trust_lines_change - claimable_balances_change
    - liquidity_pools_change - contracts_change AS difference,
  ledger_sequence,
  closed_at,
  @batch_id AS batch_id,
  @batch_run_date AS batch_run_date,
  @batch_insert_ts AS batch_insert_ts
FROM (
  SELECT
    TIMESTAMP_TRUNC(closed_at, DAY) AS day,
    asset,
    MIN(asset_type) AS asset_type,
    COALESCE(SUM(minted), 0) AS minted,
    COALESCE(SUM(burned), 0) AS burned,
    COALESCE(SUM(clawed_back), 0) AS clawed_back,
    COALESCE(SUM(fees), 0) AS fees,
    COALESCE(SUM(IF(entry_type = 'account', held, 0)), 0) AS accounts_change,
    COALESCE(SUM(IF(entry_type = 'trust_line', held, 0)), 0) AS trust_lines_change,
    COALESCE(SUM(IF(entry_type = 'claimable_balance', held, 0)), 0) AS claimable_balances_change,
    COALESCE(SUM(IF(entry_type = 'liquidity_pool', held, 0)), 0) AS liquidity_pools_change,
    COALESCE(SUM(IF(entry_type = 'contract_data', held, 0)), 0) AS contracts_change,
    SUM(inexact) AS inexact_changes,
    MAX(ledger_sequence) AS ledger_sequence,
    MAX(closed_at) AS closed_at
  FROM changes
  GROUP BY day, asset
)
