-- Which of a record and a create was stored first, which no two clocks can tell.

CREATE SEQUENCE reconciler.numbers;

ALTER TABLE reconciler.intents ADD COLUMN number bigint NOT NULL DEFAULT 0;
ALTER TABLE reconciler.intents
    ALTER COLUMN number SET DEFAULT nextval('reconciler.numbers');

ALTER TABLE reconciler.observations ADD COLUMN live_number bigint;
ALTER TABLE reconciler.observations
    ALTER COLUMN live_number SET DEFAULT nextval('reconciler.numbers');

-- What the creates may have made that are open by now.
UPDATE reconciler.observations
SET live_number = nextval('reconciler.numbers')
FROM (
    SELECT account_id, tenant_id, min(decided_at) AS decided_at
    FROM reconciler.intents
    WHERE kind = 'create' AND state IN ('open', 'unknown')
    GROUP BY account_id, tenant_id
) AS creates
WHERE observations.account_id = creates.account_id
    AND observations.tenant_id = creates.tenant_id
    AND observations.is_live
    AND observations.live_since >= creates.decided_at - interval '30 seconds';

-- The column live_since goes once nobody runs who reads it.
DROP INDEX reconciler.observations_new;
CREATE INDEX observations_new
ON reconciler.observations (account_id, live_number, tenant_id)
WHERE is_live;
