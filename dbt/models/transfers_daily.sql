{{ config(
    materialized="incremental",
    incremental_strategy="insert_overwrite",
    partition_by={"field": "day", "data_type": "date"},
) }}
-- Transfers per asset and UTC day. A run makes the days from DBT_FROM_DAY on again, as a whole: it can be repeated.
select
  date(closed_at) as day,
  asset,
  count(*) as transfer_count,
  sum(cast(amount_raw as numeric)) as amount_raw
from {{ source("stellar", "token_transfers") }}
where event_topic = 'transfer'
{% if is_incremental() %}
  and closed_at >= timestamp('{{ env_var("DBT_FROM_DAY", "2015-01-01") }}')
{% endif %}
group by day, asset
