-- Token events, one row per event.
-- Braces contain names of tables, and conditions that select the rows of the batch.
SELECT
  t.`transaction_hash`,
  t.`transaction_id`,
  t.`operation_id`,
  t.`event_index`,
  t.`event_topic`,
  t.`from`,
  t.`to`,
  t.`to_muxed`,
  t.`to_muxed_id`,
  t.`asset`,
  t.`asset_type`,
  t.`asset_code`,
  t.`asset_issuer`,
  t.`amount_raw`,
  t.`contract_id`,
  t.`ledger_sequence`,
  t.`closed_at`,
  @batch_id AS batch_id,
  @batch_run_date AS batch_run_date,
  @batch_insert_ts AS batch_insert_ts
FROM {token_transfers} AS t
WHERE {token_transfers_range}
