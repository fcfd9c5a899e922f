-- History that is too old is found by its age, and so are erasures.

CREATE INDEX intents_age ON reconciler.intents (closed_at)
WHERE closed_at IS NOT NULL;

CREATE INDEX erasures_age ON reconciler.erasures (finished_at)
WHERE finished_at IS NOT NULL;

GRANT SELECT (intent_id, closed_at) ON reconciler.intents
TO tandem_reconciler_all_tenants;
GRANT SELECT (intent_id) ON reconciler.losses TO tandem_reconciler_all_tenants;
GRANT SELECT (ctid, finished_at), DELETE ON reconciler.erasures
TO tandem_reconciler_all_tenants;
