-- name: export_parents
-- Every connection and every account of a tenant, whose rows are exported.
SELECT 'connection' AS kind, connection_id AS parent_id
FROM reconciler.connections
WHERE tenant_id = $tenant_id
UNION ALL
SELECT 'account', account_id
FROM reconciler.accounts
WHERE tenant_id = $tenant_id
ORDER BY 1, 2;

-- name: export_connections
-- A connection as it is set.
SELECT
    connection_id AS key,
    json_build_object(
        'connection_id', connection_id,
        'settings', convert_from(settings, 'UTF8')::json,
        'state', state,
        'version', version,
        'created_at', created_at,
        'started_at', started_at,
        'deleted_at', deleted_at
    )::text AS line
FROM reconciler.connections
WHERE connection_id = $parent_id
    AND tenant_id = $tenant_id
    AND connection_id > $after
LIMIT $limit;

-- name: export_accounts
-- What an account offers to connections.
SELECT
    account_id AS key,
    json_build_object(
        'account_id', account_id,
        'app', app,
        'description', convert_from(description, 'UTF8')::json
    )::text AS line
FROM reconciler.accounts
WHERE account_id = $parent_id
    AND tenant_id = $tenant_id
    AND account_id > $after
LIMIT $limit;

-- name: export_observations
-- The newest state of each record of an account.
SELECT
    record_id AS key,
    json_build_object(
        'account_id', account_id,
        'record', convert_from(record, 'UTF8')::json,
        'read_at', read_at,
        'changed_at', changed_at,
        'missing_since', missing_since
    )::text AS line
FROM reconciler.observations
WHERE account_id = $parent_id
    AND tenant_id = $tenant_id
    AND record_id > $after
ORDER BY record_id
LIMIT $limit;

-- name: export_links
-- The contacts of a connection, with what was last known to be on each side.
SELECT
    link_id AS key,
    json_build_object(
        'connection_id', connection_id,
        'link', convert_from(body, 'UTF8')::json,
        'name', name,
        'email', email,
        'changed_at', changed_at
    )::text AS line
FROM reconciler.links
WHERE connection_id = $parent_id
    AND tenant_id = $tenant_id
    AND link_id > $after
ORDER BY link_id
LIMIT $limit;

-- name: export_intents
-- The history of a connection: each write, and what became of it.
SELECT
    intent_id AS key,
    json_build_object(
        'connection_id', connection_id,
        'write', convert_from(body, 'UTF8')::json,
        'state', state,
        'decided_at', decided_at,
        'closed_at', closed_at,
        'outcome', outcome,
        'reason', reason
    )::text AS line
FROM reconciler.intents
WHERE connection_id = $parent_id
    AND tenant_id = $tenant_id
    AND intent_id > $after
ORDER BY intent_id
LIMIT $limit;

-- name: export_losses
-- The values that gave way to a connection's writes.
SELECT
    intent_id || ' ' || mapping_id || ' ' || side AS key,
    json_build_object(
        'connection_id', connection_id,
        'intent_id', intent_id,
        'mapping_id', mapping_id,
        'side', side,
        'fields', convert_from(fields, 'UTF8')::json,
        'lost_at', lost_at
    )::text AS line
FROM reconciler.losses
WHERE connection_id = $parent_id
    AND tenant_id = $tenant_id
    AND intent_id >= split_part($after, ' ', 1)
    AND (intent_id || ' ' || mapping_id || ' ' || side) COLLATE "C"
        > $after COLLATE "C"
ORDER BY intent_id, (intent_id || ' ' || mapping_id || ' ' || side) COLLATE "C"
LIMIT $limit;
