-- name: export_tenant
-- The tenant itself.
SELECT
    tenant_id AS key,
    json_build_object(
        'tenant_id', tenant_id, 'name', name, 'created_at', created_at,
        'requires_second_factor', requires_second_factor
    )::text AS line
FROM api.tenants
WHERE tenant_id = $tenant_id
    AND tenant_id > $after
LIMIT $limit::bigint;

-- name: export_people
-- People of the tenant, with who they are at a provider.
SELECT
    people.person_id AS key,
    json_build_object(
        'person_id', people.person_id,
        'email', people.email,
        'role', people.role,
        'created_at', people.created_at,
        'has_second_factor', EXISTS (
            SELECT 1
            FROM api.second_factors
            WHERE second_factors.tenant_id = people.tenant_id
                AND second_factors.person_id = people.person_id
        ),
        'identities', (
            SELECT coalesce(json_agg(json_build_object(
                'issuer', identities.issuer, 'subject', identities.subject
            )), '[]'::json)
            FROM api.identities
            WHERE identities.tenant_id = people.tenant_id
                AND identities.person_id = people.person_id
        )
    )::text AS line
FROM api.people
WHERE people.tenant_id = $tenant_id
    AND people.person_id > $after
ORDER BY people.person_id
LIMIT $limit::bigint;

-- name: export_api_keys
-- API keys, without what they are checked by.
SELECT
    key_id AS key,
    json_build_object(
        'key_id', key_id,
        'name', name,
        'hint', hint,
        'scopes', scopes,
        'created_at', created_at,
        'created_by', created_by,
        'expires_at', expires_at,
        'revoked_at', revoked_at,
        'last_used_at', last_used_at
    )::text AS line
FROM api.api_keys
WHERE tenant_id = $tenant_id
    AND key_id > $after
ORDER BY key_id
LIMIT $limit::bigint;

-- name: export_invitations
-- Who was invited, without the secret of the link.
SELECT
    invitation_id AS key,
    json_build_object(
        'invitation_id', invitation_id,
        'email', email,
        'role', role,
        'created_at', created_at,
        'created_by', created_by,
        'expires_at', expires_at,
        'ended_at', ended_at,
        'outcome', outcome
    )::text AS line
FROM api.invitations
WHERE tenant_id = $tenant_id
    AND invitation_id > $after
ORDER BY invitation_id
LIMIT $limit::bigint;

-- name: export_audit_entries
-- The audit log, oldest first, with the digests that chain it.
SELECT
    lpad(number::text, 18, '0') AS key,
    json_build_object(
        'number', number,
        'at', at,
        'actor', actor,
        'act', act,
        'object_id', object_id,
        'fields', fields,
        'outcome', outcome,
        'request_id', request_id,
        'remote', remote,
        'digest', encode(digest, 'hex')
    )::text AS line
FROM api.audit_entries
WHERE tenant_id = $tenant_id
    AND number > coalesce(nullif($after::text, '')::bigint, 0)
ORDER BY number
LIMIT $limit::bigint;
