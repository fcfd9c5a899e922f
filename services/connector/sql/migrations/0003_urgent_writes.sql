-- What carries an unsubscribe goes ahead of all other intents of its account.

ALTER TABLE connector.writes
    ADD COLUMN is_urgent boolean NOT NULL DEFAULT false;

DROP INDEX connector.writes_open;
CREATE INDEX writes_open
    ON connector.writes (account_id, is_urgent DESC, created_at, intent_id, tenant_id)
    WHERE done_at IS NULL;
