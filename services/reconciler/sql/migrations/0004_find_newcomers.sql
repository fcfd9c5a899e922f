-- Whom an account has shown since some time, without reading all of its records.

CREATE INDEX observations_new
ON reconciler.observations (account_id, live_since, tenant_id)
WHERE is_live;
