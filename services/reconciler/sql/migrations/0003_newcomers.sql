-- Since when a record is known, and which creates may turn out to have made it.

ALTER TABLE reconciler.observations ADD COLUMN live_since timestamptz;

CREATE INDEX intents_creates
ON reconciler.intents (account_id, decided_at, tenant_id)
WHERE kind = 'create' AND state IN ('open', 'unknown');
