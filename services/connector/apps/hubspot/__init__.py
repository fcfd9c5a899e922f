"""HubSpot, CRM API version 3."""
