-- Each tenant's rows are shown to a transaction only if it serves that tenant, or is one
-- of those that serve all. See docs/adr/0014-row-level-security.md.

-- Without a tenant nothing is answered at all: no rows would be an answer, too, and the
-- work after it would go on.
CREATE FUNCTION current_tenant() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    tenant text := current_setting('tandem.tenant_id', true);
BEGIN
    IF tenant IS NULL OR tenant = '' THEN
        RAISE EXCEPTION 'the transaction serves no tenant'
        USING
            ERRCODE = 'insufficient_privilege',
            HINT = 'SET LOCAL tandem.tenant_id first.';
    END IF;
    RETURN tenant;
END
$$;

-- For the tables of each migration: their owner is bound as well, and the role of all
-- tenants sees every row, but may do only what is granted to it table by table.
CREATE FUNCTION separate_tenants(VARIADIC tables regclass[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    one regclass;
    schema name;
BEGIN
    FOREACH one IN ARRAY tables
    LOOP
        SELECT nspname INTO STRICT schema
        FROM pg_class
        JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = one;
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', one);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', one);
        EXECUTE format(
            'CREATE POLICY one_tenant ON %s'
            ' USING (tenant_id = (SELECT %I.current_tenant()))',
            one, schema
        );
        EXECUTE format(
            'CREATE POLICY all_tenants ON %s TO %I USING (true)',
            one, format('tandem_%s_all_tenants', schema)
        );
    END LOOP;
END
$$;

SELECT separate_tenants('outbox', 'inbox', 'attempts', 'dead_letters');

-- The relay, the receipts, what prunes and what replays serve everybody. So does a sweep
-- that tells many tenants something in one transaction.
DO $$
DECLARE
    role name := format('tandem_%s_all_tenants', current_schema());
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO %I', role);
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON inbox TO %I', role);
    EXECUTE format('GRANT SELECT, UPDATE, DELETE ON attempts TO %I', role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letters TO %I', role);
END
$$;
