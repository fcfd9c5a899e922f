-- Since when a record is known, whether we made it, and which creates may have.

ALTER TABLE reconciler.observations
    ADD COLUMN live_since timestamptz,
    ADD COLUMN is_ours boolean NOT NULL DEFAULT false;

CREATE INDEX intents_creates
ON reconciler.intents (account_id, decided_at, tenant_id)
WHERE kind = 'create' AND state IN ('open', 'unknown');
