-- Each tenant's rows are shown to nobody else (docs/adr/0014-row-level-security.md).

SELECT reconciler.separate_tenants(
    'reconciler.accounts', 'reconciler.connections', 'reconciler.observations',
    'reconciler.emails', 'reconciler.scans', 'reconciler.scan_parts',
    'reconciler.links', 'reconciler.dirty', 'reconciler.intents', 'reconciler.losses'
);

-- For all tenants: connections are claimed, what is due by the clock is found and told,
-- and what is left of deleted connections goes. No record, address or link's content can
-- be read by it; of writes that are looked up, only what they were.
GRANT SELECT, UPDATE (lease_until, lease_version, due_at, epoch), DELETE
ON reconciler.connections TO tandem_reconciler_all_tenants;
GRANT SELECT (tenant_id, account_id, unused_since), DELETE
ON reconciler.accounts TO tandem_reconciler_all_tenants;
GRANT
    SELECT (
        ctid, tenant_id, account_id, record_id, is_live, missing_since, ask_again_at
    ),
    UPDATE (ask_again_at),
    DELETE
ON reconciler.observations TO tandem_reconciler_all_tenants;
GRANT SELECT (ctid, tenant_id, account_id), DELETE
ON reconciler.emails TO tandem_reconciler_all_tenants;
GRANT SELECT (ctid, tenant_id, account_id, asked_at, first_read_at), DELETE
ON reconciler.scans TO tandem_reconciler_all_tenants;
GRANT SELECT (ctid, tenant_id, account_id), DELETE
ON reconciler.scan_parts TO tandem_reconciler_all_tenants;
GRANT
    SELECT (
        ctid, tenant_id, connection_id, left_record_id, right_record_id, retry_at
    ),
    UPDATE (retry_at),
    DELETE
ON reconciler.links TO tandem_reconciler_all_tenants;
GRANT
    SELECT (ctid, tenant_id, connection_id, side, record_id, mark),
    INSERT (tenant_id, connection_id, side, record_id),
    UPDATE (mark),
    DELETE
ON reconciler.dirty TO tandem_reconciler_all_tenants;
GRANT
    SELECT (
        ctid, tenant_id, connection_id, account_id, side, state, look_at, body
    ),
    UPDATE (look_at),
    DELETE
ON reconciler.intents TO tandem_reconciler_all_tenants;
GRANT SELECT (ctid, tenant_id, connection_id), DELETE
ON reconciler.losses TO tandem_reconciler_all_tenants;
GRANT USAGE ON SEQUENCE reconciler.marks TO tandem_reconciler_all_tenants;
