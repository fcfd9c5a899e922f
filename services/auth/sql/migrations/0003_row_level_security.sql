-- Each tenant's rows are shown to nobody else (docs/adr/0014-row-level-security.md).

SELECT auth.separate_tenants(
    'auth.app_clients', 'auth.authorisations', 'auth.accounts', 'auth.credentials'
);

-- For all tenants: what is stale goes, and keys are wrapped anew. Nothing that is sealed
-- can be read by it.
GRANT SELECT (tenant_id, app, key_id, wrapped_key), UPDATE (key_id, wrapped_key)
ON auth.app_clients TO tandem_auth_all_tenants;
GRANT
    SELECT (ctid, tenant_id, state_hash, key_id, wrapped_key, expires_at),
    UPDATE (key_id, wrapped_key),
    DELETE
ON auth.authorisations TO tandem_auth_all_tenants;
-- Rows that are to go are locked first, which takes the right to change something.
GRANT
    SELECT (ctid, tenant_id, account_id, state, created_at),
    UPDATE (state),
    DELETE
ON auth.accounts TO tandem_auth_all_tenants;
GRANT
    SELECT (tenant_id, account_id, version, key_id, wrapped_key),
    UPDATE (key_id, wrapped_key)
ON auth.credentials TO tandem_auth_all_tenants;
