-- One row per holder and asset. Shares of liquidity pools are not assets of an issuer.
SELECT
  t.account_id,
  t.asset_code,
  t.asset_issuer,
  t.balance,
  t.trust_line_limit,
  t.flags,
  t.last_modified_ledger
FROM {trustlines_current} AS t
WHERE t.asset_type IN ('credit_alphanum4', 'credit_alphanum12')
