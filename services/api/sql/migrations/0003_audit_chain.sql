-- The audit log becomes a chain for each tenant: an entry's digest covers the entry
-- and the digest before it, so what is changed or missing shows (hazard 129).

CREATE TABLE api.audit_heads (
    tenant_id  text PRIMARY KEY REFERENCES api.tenants,
    number     bigint NOT NULL,
    digest     bytea NOT NULL
);

-- Migrations grant a table no more than the words before the colon.
COMMENT ON TABLE api.audit_heads IS 'read only: kept by a trigger of audit_entries';
COMMENT ON TABLE api.audit_entries IS 'insert only: what was done stays written down';

ALTER TABLE api.audit_entries
    ADD COLUMN number bigint,
    ADD COLUMN digest bytea;

-- Netstrings leave no doubt where a value ends. services/api/chain.py reads the same.
CREATE FUNCTION api.framed(value text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN octet_length(value)::text || ':' || value || ',';

-- As the owner: the service's role can neither move a head nor choose a number.
CREATE FUNCTION api.chain_audit_entry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head api.audit_heads;
BEGIN
    -- Holds the tenant's head until the commit: one chain, however many write.
    INSERT INTO api.audit_heads AS heads (tenant_id, number, digest)
    VALUES (NEW.tenant_id, 1, '')
    ON CONFLICT (tenant_id) DO UPDATE SET number = heads.number + 1;
    head := (
        SELECT heads FROM api.audit_heads AS heads
        WHERE heads.tenant_id = NEW.tenant_id
    );
    NEW.number := head.number;
    NEW.digest := sha256(
        head.digest || convert_to(
            api.framed(NEW.tenant_id)
            || api.framed(NEW.number::text)
            || api.framed((extract(epoch FROM NEW.at) * 1000000)::bigint::text)
            || api.framed(NEW.actor)
            || api.framed(NEW.act)
            || api.framed(NEW.object_id)
            || api.framed(coalesce((
                SELECT string_agg(api.framed(field), '' ORDER BY place)
                FROM unnest(NEW.fields) WITH ORDINALITY AS given (field, place)
            ), ''))
            || api.framed(NEW.outcome)
            || api.framed(NEW.request_id)
            || api.framed(NEW.remote),
            'UTF8'
        )
    );
    UPDATE api.audit_heads SET digest = NEW.digest WHERE tenant_id = NEW.tenant_id;
    RETURN NEW;
END
$$;

-- What was written before this release is chained in its order.
ALTER TABLE api.audit_entries DISABLE TRIGGER audit_entries_stay;

CREATE TRIGGER audit_entries_chained_late
BEFORE UPDATE ON api.audit_entries
FOR EACH ROW EXECUTE FUNCTION api.chain_audit_entry();

DO $$
DECLARE
    entry bigint;
    -- Where row-level security binds the owner, it does not for this: it is of all tenants.
    is_bound boolean := row_security_active('api.audit_entries');
BEGIN
    IF is_bound THEN
        ALTER TABLE api.audit_entries NO FORCE ROW LEVEL SECURITY;
    END IF;
    FOR entry IN SELECT entry_id FROM api.audit_entries ORDER BY entry_id LOOP
        UPDATE api.audit_entries SET number = NULL WHERE entry_id = entry;
    END LOOP;
    IF is_bound THEN
        ALTER TABLE api.audit_entries FORCE ROW LEVEL SECURITY;
    END IF;
END
$$;

DROP TRIGGER audit_entries_chained_late ON api.audit_entries;

ALTER TABLE api.audit_entries ENABLE TRIGGER audit_entries_stay;

CREATE TRIGGER audit_entries_chained
BEFORE INSERT ON api.audit_entries
FOR EACH ROW EXECUTE FUNCTION api.chain_audit_entry();

ALTER TABLE api.audit_entries
    ALTER COLUMN number SET NOT NULL,
    ALTER COLUMN digest SET NOT NULL,
    ADD CONSTRAINT audit_entries_number UNIQUE (tenant_id, number);

DROP INDEX api.audit_entries_of_tenant;
