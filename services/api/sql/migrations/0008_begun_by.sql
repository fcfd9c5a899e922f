-- Which person began an authorisation: nobody else brings it to its end.

ALTER TABLE api.authorisations ADD COLUMN person_id text;

GRANT SELECT (person_id) ON api.authorisations TO tandem_api_all_tenants;
