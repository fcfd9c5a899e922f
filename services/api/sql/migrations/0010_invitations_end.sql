-- Invitations that were over long ago go: they have somebody's address.

CREATE INDEX invitations_age ON api.invitations (coalesce(ended_at, expires_at));

GRANT SELECT (ctid), DELETE ON api.invitations TO tandem_api_all_tenants;
