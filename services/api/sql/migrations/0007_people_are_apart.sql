-- People and what is theirs are shown to their tenant alone, as all else is.

SELECT api.separate_tenants(
    'api.audit_heads', 'api.people', 'api.sessions', 'api.invitations', 'api.identities'
);

-- For all tenants: an address, a cookie, a link or a subject tells whose it is. What is
-- of no tenant serves no one tenant either.
GRANT
    SELECT (tenant_id, person_id, email, role, password_hash)
ON api.people TO tandem_api_all_tenants;
GRANT
    SELECT (tenant_id, session_id, person_id, digest, seen_at, expires_at),
    DELETE
ON api.sessions TO tandem_api_all_tenants;
GRANT
    SELECT (tenant_id, invitation_id, digest, email, role, expires_at, ended_at)
ON api.invitations TO tandem_api_all_tenants;
GRANT
    SELECT (tenant_id, person_id, issuer, subject)
ON api.identities TO tandem_api_all_tenants;
GRANT SELECT, INSERT, UPDATE, DELETE ON api.guesses TO tandem_api_all_tenants;
GRANT SELECT, INSERT, DELETE ON api.oidc_sign_ins TO tandem_api_all_tenants;
