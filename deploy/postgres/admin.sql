-- Prepares a database for Tandem: for each service a schema, a role that owns it and
-- runs its migrations, a role that the service works under, and one that it takes for
-- the work of all tenants. Run by whoever administers the server, before each upgrade;
-- running it again changes nothing.
DO $$
DECLARE
    service text;
    owner_role text;
    service_role text;
    all_tenants_role text;
    role_name text;
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
        all_tenants_role := format('tandem_%s_all_tenants', service);
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = all_tenants_role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', all_tenants_role);
        END IF;
        IF NOT pg_has_role(service_role, all_tenants_role, 'MEMBER') THEN
            -- Taken by SET ROLE only: inherited, it would be in force all the time.
            EXECUTE format('ALTER ROLE %I NOINHERIT', service_role);
            EXECUTE format('GRANT %I TO %I', all_tenants_role, service_role);
        END IF;
        -- Postgres logs neither the values of a statement nor, of a refused row, the row,
        -- however much it is told to log: they are of people, or sealed.
        FOREACH role_name IN ARRAY ARRAY[owner_role, service_role]
        LOOP
            BEGIN
                EXECUTE format(
                    'ALTER ROLE %I SET log_error_verbosity = terse', role_name
                );
                EXECUTE format(
                    'ALTER ROLE %I SET log_parameter_max_length = 0', role_name
                );
                EXECUTE format(
                    'ALTER ROLE %I SET log_parameter_max_length_on_error = 0', role_name
                );
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE WARNING 'Set log_error_verbosity = terse, and '
                    'log_parameter_max_length and _on_error = 0, for %', role_name;
            END;
        END LOOP;
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
