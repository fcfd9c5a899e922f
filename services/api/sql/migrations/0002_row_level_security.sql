-- Each tenant's rows are shown to nobody else (docs/adr/0014-row-level-security.md).

SELECT api.separate_tenants(
    'api.tenants', 'api.api_keys', 'api.audit_entries', 'api.authorisations'
);

-- For all tenants: a name, a key, a link or a state tells whose it is, and what is over
-- goes. Keys are stored as digests only, and audit entries are out of its reach.
GRANT SELECT, INSERT ON api.tenants TO tandem_api_all_tenants;
GRANT
    SELECT (
        tenant_id, key_id, digest, scopes, expires_at, revoked_at, last_used_at
    ),
    UPDATE (last_used_at)
ON api.api_keys TO tandem_api_all_tenants;
GRANT
    SELECT (
        tenant_id, authorisation_id, app, link_digest, state_digest, browser_digest,
        sealed, expires_at, opened_at, ended_at
    ),
    UPDATE (opened_at),
    DELETE
ON api.authorisations TO tandem_api_all_tenants;
