-- Prepares a database for Tandem: for each service a schema, a role that owns it and
-- runs its migrations, and a role that the service works under. Run by whoever
-- administers the server; running it again changes nothing.
DO $$
DECLARE
    service text;
    owner_role text;
    service_role text;
BEGIN
    -- Installations that share a server may prepare their databases at one time.
    PERFORM pg_advisory_xact_lock(hashtext('tandem admin.sql'));
    FOREACH service IN ARRAY ARRAY['auth', 'connector', 'reconciler', 'api']
    LOOP
        owner_role := format('tandem_%s_owner', service);
        service_role := format('tandem_%s', service);
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = owner_role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', owner_role);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = service_role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', service_role);
        END IF;
        -- An administrator who is no superuser acts for the owner as its member.
        IF NOT pg_has_role(current_user, owner_role, 'USAGE') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', owner_role);
        END IF;
        EXECUTE format(
            'CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', service, owner_role
        );
        EXECUTE format(
            'GRANT CONNECT ON DATABASE %I TO %I, %I',
            current_database(), owner_role, service_role
        );
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', service, service_role);
        -- Tables that later migrations create are the service's to use at once.
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I '
            'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I',
            owner_role, service, service_role
        );
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I '
            'GRANT USAGE, SELECT ON SEQUENCES TO %I',
            owner_role, service, service_role
        );
    END LOOP;
    EXECUTE format(
        'REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()
    );
END
$$;
