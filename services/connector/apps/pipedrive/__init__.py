"""The persons of Pipedrive, API v2."""
