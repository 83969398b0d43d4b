-- Assets whose supply according to token events differs from their balances, and lumens that differ from the headers.
-- In braces: names of tables, and conditions that select the rows of the days of the batch.
SELECT asset, day, supply_change AS changed_by, supply_change - difference AS held_changed_by
FROM {staging}
WHERE asset_type <> 'contract' AND inexact_changes = 0 AND difference <> 0
UNION ALL
-- Amounts of accounts beyond 2^51 stroops are rounded, by 2^-53 of the amount at most.
SELECT 'native' AS asset, h.day, h.changed_by, s.held AS held_changed_by
FROM (
  SELECT TIMESTAMP_TRUNC(MAX(l.closed_at), DAY) AS day,
    MAX(IF(l.sequence = @end_ledger, l.total_coins - l.fee_pool, NULL))
      - MAX(IF(l.sequence = @start_ledger - 1, l.total_coins - l.fee_pool, NULL)) AS changed_by
  FROM {ledgers} AS l
  WHERE l.sequence BETWEEN @start_ledger - 1 AND @end_ledger
    AND l.closed_at BETWEEN TIMESTAMP_SUB(@first_closed_at, INTERVAL 1 DAY) AND @last_closed_at
) AS h
CROSS JOIN (
  SELECT COALESCE(SUM(inexact_changes), 0) AS inexact,
    COALESCE(SUM(accounts_change + claimable_balances_change + liquidity_pools_change + contracts_change), 0) AS held
  FROM {staging}
  WHERE asset = 'native'
) AS s
CROSS JOIN (
  SELECT COUNT(*) AS rounded,
    COALESCE(SUM((b.amount + b.amount_before) / 9007199254740992 + 2), 0) AS slack
  FROM {balances} AS b
  WHERE b.asset_type = 'native' AND GREATEST(b.amount, b.amount_before) > 2251799813685248 AND {balances_range}
) AS r
WHERE s.inexact = r.rounded AND ABS(h.changed_by - s.held) > r.slack
