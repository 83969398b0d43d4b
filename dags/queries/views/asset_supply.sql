-- The supply of each asset after each day on which it changed.
-- Braces contain names of tables.
SELECT
  day,
  asset,
  asset_type,
  SUM(supply_change) OVER (PARTITION BY asset ORDER BY day) AS supply,
  SUM(minted) OVER (PARTITION BY asset ORDER BY day) AS minted,
  SUM(burned) OVER (PARTITION BY asset ORDER BY day) AS burned,
  SUM(clawed_back) OVER (PARTITION BY asset ORDER BY day) AS clawed_back,
  SUM(accounts_change) OVER (PARTITION BY asset ORDER BY day) AS in_accounts,
  SUM(trust_lines_change) OVER (PARTITION BY asset ORDER BY day) AS in_trust_lines,
  SUM(claimable_balances_change) OVER (PARTITION BY asset ORDER BY day) AS in_claimable_balances,
  SUM(liquidity_pools_change) OVER (PARTITION BY asset ORDER BY day) AS in_liquidity_pools,
  SUM(contracts_change) OVER (PARTITION BY asset ORDER BY day) AS in_contracts
FROM {asset_supply_daily}
