-- Each tenant's rows are shown to nobody else (docs/adr/0014-row-level-security.md).

SELECT connector.separate_tenants(
    'connector.accounts', 'connector.writes', 'connector.wanted_reads'
);

-- For all tenants: accounts are claimed and given back with their counts of calls, and
-- old answers go. No write's content can be read by it.
GRANT
    SELECT (
        tenant_id, account_id, app, is_wanted, is_lost, due_at, write_at,
        lease_owner, lease_until, lease_version, calls_day, calls_today
    ),
    UPDATE (lease_owner, lease_until, lease_version, calls_day, calls_today)
ON connector.accounts TO tandem_connector_all_tenants;
GRANT
    SELECT (tenant_id, intent_id, account_id, state, is_urgent, done_at),
    DELETE
ON connector.writes TO tandem_connector_all_tenants;
