-- Prices and volumes of unordered asset pairs, per UTC hour and day.
-- Braces contain names of tables, and conditions that select the rows of the days of the batch.
SELECT
  bucket,
  bucket_start,
  base_asset,
  counter_asset,
  COUNT(*) AS trade_count,
  SUM(base_amount) AS base_volume,
  SUM(counter_amount) AS counter_volume,
  MAX(IF(place = 1, price, NULL)) AS open_price,
  MAX(price) AS high_price,
  MIN(price) AS low_price,
  MAX(IF(place_from_end = 1, price, NULL)) AS close_price,
  MIN(history_operation_id) AS first_operation_id,
  MAX(history_operation_id) AS last_operation_id,
  MAX(ledger_sequence) AS ledger_sequence,
  MAX(closed_at) AS closed_at,
  @batch_id AS batch_id,
  @batch_run_date AS batch_run_date,
  @batch_insert_ts AS batch_insert_ts
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY bucket, bucket_start, base_asset, counter_asset ORDER BY history_operation_id, trade_order
    ) AS place,
    ROW_NUMBER() OVER (
      PARTITION BY bucket, bucket_start, base_asset, counter_asset
      ORDER BY history_operation_id DESC, trade_order DESC
    ) AS place_from_end
  FROM (
    SELECT
      bucket,
      bucket_start,
      LEAST(selling_asset, buying_asset) AS base_asset,
      GREATEST(selling_asset, buying_asset) AS counter_asset,
      IF(selling_asset < buying_asset, selling_amount, buying_amount) AS base_amount,
      IF(selling_asset < buying_asset, buying_amount, selling_amount) AS counter_amount,
      IF(selling_asset < buying_asset, SAFE_DIVIDE(price_n, price_d), SAFE_DIVIDE(price_d, price_n)) AS price,
      history_operation_id,
      trade_order,
      history_operation_id >> 32 AS ledger_sequence,
      closed_at
    FROM (
      SELECT
        bucket,
        {trades_bucket_start} AS bucket_start,
        IF(t.selling_asset_type = 'native', 'native', CONCAT(t.selling_asset_code, ':', t.selling_asset_issuer))
          AS selling_asset,
        IF(t.buying_asset_type = 'native', 'native', CONCAT(t.buying_asset_code, ':', t.buying_asset_issuer))
          AS buying_asset,
        CAST(t.selling_amount AS NUMERIC) AS selling_amount,
        CAST(t.buying_amount AS NUMERIC) AS buying_amount,
        t.price_n,
        t.price_d,
        t.history_operation_id,
        t.`order` AS trade_order,
        t.ledger_closed_at AS closed_at
      FROM {trades} AS t
      CROSS JOIN UNNEST(['hour', 'day']) AS bucket
      WHERE {trades_range}
    )
  )
)
GROUP BY bucket, bucket_start, base_asset, counter_asset
