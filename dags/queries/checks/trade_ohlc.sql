-- Volumes and trade counts that differ from the trades themselves.
-- Braces contain names of tables, and conditions that select the rows of the days of the batch.
SELECT bucket, t.trade_count, t.volume, s.trade_count AS trades_of_buckets, s.volume AS volume_of_buckets
FROM (
  SELECT COUNT(*) AS trade_count,
    COALESCE(SUM(CAST(t.selling_amount AS NUMERIC) + CAST(t.buying_amount AS NUMERIC)), 0) AS volume
  FROM {trades} AS t
  WHERE {trades_range}
) AS t
CROSS JOIN UNNEST(['hour', 'day']) AS bucket
LEFT JOIN (
  SELECT bucket AS bucket_length, SUM(trade_count) AS trade_count, SUM(base_volume + counter_volume) AS volume
  FROM {staging}
  GROUP BY bucket
) AS s ON s.bucket_length = bucket
WHERE t.trade_count <> COALESCE(s.trade_count, 0) OR t.volume <> COALESCE(s.volume, 0)
