-- Activity of the network, per UTC hour and day.
-- Braces contain names of tables, and conditions that select the rows of the days of the batch.
WITH
ledger_buckets AS (
  SELECT
    bucket,
    {ledgers_bucket_start} AS bucket_start,
    COUNT(*) AS ledger_count,
    MIN(l.sequence) AS first_ledger,
    MAX(l.sequence) AS ledger_sequence,
    MAX(l.closed_at) AS closed_at
  FROM {ledgers} AS l
  CROSS JOIN UNNEST(['hour', 'day']) AS bucket
  WHERE {ledgers_range}
  GROUP BY bucket, bucket_start
),
transaction_buckets AS (
  SELECT
    bucket,
    {transactions_bucket_start} AS bucket_start,
    COUNT(*) AS transaction_count,
    COUNTIF(t.successful) AS successful_transaction_count,
    COUNTIF(t.soroban_resources_instructions > 0) AS soroban_transaction_count,
    SUM(t.fee_charged) AS fee_charged,
    SUM(t.resource_fee) AS resource_fee,
    SUM(t.resource_fee_refund) AS resource_fee_refund,
    SUM(t.soroban_resources_instructions) AS soroban_instructions,
    SUM(t.soroban_resources_read_bytes) AS soroban_read_bytes,
    SUM(t.soroban_resources_write_bytes) AS soroban_write_bytes
  FROM {transactions} AS t
  CROSS JOIN UNNEST(['hour', 'day']) AS bucket
  WHERE {transactions_range}
  GROUP BY bucket, bucket_start
),
operation_buckets AS (
  SELECT
    bucket,
    {operations_bucket_start} AS bucket_start,
    COUNT(*) AS operation_count,
    COUNTIF(o.type = 0) AS create_account_count,
    COUNTIF(o.type = 1) AS payment_count,
    COUNTIF(o.type = 2) AS path_payment_strict_receive_count,
    COUNTIF(o.type = 3) AS manage_sell_offer_count,
    COUNTIF(o.type = 4) AS create_passive_sell_offer_count,
    COUNTIF(o.type = 5) AS set_options_count,
    COUNTIF(o.type = 6) AS change_trust_count,
    COUNTIF(o.type = 7) AS allow_trust_count,
    COUNTIF(o.type = 8) AS account_merge_count,
    COUNTIF(o.type = 9) AS inflation_count,
    COUNTIF(o.type = 10) AS manage_data_count,
    COUNTIF(o.type = 11) AS bump_sequence_count,
    COUNTIF(o.type = 12) AS manage_buy_offer_count,
    COUNTIF(o.type = 13) AS path_payment_strict_send_count,
    COUNTIF(o.type = 14) AS create_claimable_balance_count,
    COUNTIF(o.type = 15) AS claim_claimable_balance_count,
    COUNTIF(o.type = 16) AS begin_sponsoring_future_reserves_count,
    COUNTIF(o.type = 17) AS end_sponsoring_future_reserves_count,
    COUNTIF(o.type = 18) AS revoke_sponsorship_count,
    COUNTIF(o.type = 19) AS clawback_count,
    COUNTIF(o.type = 20) AS clawback_claimable_balance_count,
    COUNTIF(o.type = 21) AS set_trust_line_flags_count,
    COUNTIF(o.type = 22) AS liquidity_pool_deposit_count,
    COUNTIF(o.type = 23) AS liquidity_pool_withdraw_count,
    COUNTIF(o.type = 24) AS invoke_host_function_count,
    COUNTIF(o.type = 25) AS extend_footprint_ttl_count,
    COUNTIF(o.type = 26) AS restore_footprint_count
  FROM {operations} AS o
  CROSS JOIN UNNEST(['hour', 'day']) AS bucket
  WHERE {operations_range}
  GROUP BY bucket, bucket_start
),
account_buckets AS (
  SELECT bucket, bucket_start, COUNT(DISTINCT account) AS active_account_count
  FROM (
    SELECT bucket, {transactions_bucket_start} AS bucket_start, t.account
    FROM {transactions} AS t
    CROSS JOIN UNNEST(['hour', 'day']) AS bucket
    WHERE {transactions_range}
    UNION ALL
    SELECT bucket, {operations_bucket_start} AS bucket_start, o.source_account AS account
    FROM {operations} AS o
    CROSS JOIN UNNEST(['hour', 'day']) AS bucket
    WHERE {operations_range}
  )
  GROUP BY bucket, bucket_start
)
SELECT
  lb.bucket,
  lb.bucket_start,
  lb.ledger_count,
  COALESCE(tb.transaction_count, 0) AS transaction_count,
  COALESCE(tb.successful_transaction_count, 0) AS successful_transaction_count,
  COALESCE(tb.soroban_transaction_count, 0) AS soroban_transaction_count,
  COALESCE(ob.operation_count, 0) AS operation_count,
  COALESCE(ob.create_account_count, 0) AS create_account_count,
  COALESCE(ob.payment_count, 0) AS payment_count,
  COALESCE(ob.path_payment_strict_receive_count, 0) AS path_payment_strict_receive_count,
  COALESCE(ob.manage_sell_offer_count, 0) AS manage_sell_offer_count,
  COALESCE(ob.create_passive_sell_offer_count, 0) AS create_passive_sell_offer_count,
  COALESCE(ob.set_options_count, 0) AS set_options_count,
  COALESCE(ob.change_trust_count, 0) AS change_trust_count,
  COALESCE(ob.allow_trust_count, 0) AS allow_trust_count,
  COALESCE(ob.account_merge_count, 0) AS account_merge_count,
  COALESCE(ob.inflation_count, 0) AS inflation_count,
  COALESCE(ob.manage_data_count, 0) AS manage_data_count,
  COALESCE(ob.bump_sequence_count, 0) AS bump_sequence_count,
  COALESCE(ob.manage_buy_offer_count, 0) AS manage_buy_offer_count,
  COALESCE(ob.path_payment_strict_send_count, 0) AS path_payment_strict_send_count,
  COALESCE(ob.create_claimable_balance_count, 0) AS create_claimable_balance_count,
  COALESCE(ob.claim_claimable_balance_count, 0) AS claim_claimable_balance_count,
  COALESCE(ob.begin_sponsoring_future_reserves_count, 0) AS begin_sponsoring_future_reserves_count,
  COALESCE(ob.end_sponsoring_future_reserves_count, 0) AS end_sponsoring_future_reserves_count,
  COALESCE(ob.revoke_sponsorship_count, 0) AS revoke_sponsorship_count,
  COALESCE(ob.clawback_count, 0) AS clawback_count,
  COALESCE(ob.clawback_claimable_balance_count, 0) AS clawback_claimable_balance_count,
  COALESCE(ob.set_trust_line_flags_count, 0) AS set_trust_line_flags_count,
  COALESCE(ob.liquidity_pool_deposit_count, 0) AS liquidity_pool_deposit_count,
  COALESCE(ob.liquidity_pool_withdraw_count, 0) AS liquidity_pool_withdraw_count,
  COALESCE(ob.invoke_host_function_count, 0) AS invoke_host_function_count,
  COALESCE(ob.extend_footprint_ttl_count, 0) AS extend_footprint_ttl_count,
  COALESCE(ob.restore_footprint_count, 0) AS restore_footprint_count,
  COALESCE(ab.active_account_count, 0) AS active_account_count,
  COALESCE(tb.fee_charged, 0) AS fee_charged,
  COALESCE(tb.resource_fee, 0) AS resource_fee,
  COALESCE(tb.resource_fee_refund, 0) AS resource_fee_refund,
  COALESCE(tb.soroban_instructions, 0) AS soroban_instructions,
  COALESCE(tb.soroban_read_bytes, 0) AS soroban_read_bytes,
  COALESCE(tb.soroban_write_bytes, 0) AS soroban_write_bytes,
  lb.first_ledger,
  lb.ledger_sequence,
  lb.closed_at,
  @batch_id AS batch_id,
  @batch_run_date AS batch_run_date,
  @batch_insert_ts AS batch_insert_ts
FROM ledger_buckets AS lb
LEFT JOIN transaction_buckets AS tb ON tb.bucket = lb.bucket AND tb.bucket_start = lb.bucket_start
LEFT JOIN operation_buckets AS ob ON ob.bucket = lb.bucket AND ob.bucket_start = lb.bucket_start
LEFT JOIN account_buckets AS ab ON ab.bucket = lb.bucket AND ab.bucket_start = lb.bucket_start
