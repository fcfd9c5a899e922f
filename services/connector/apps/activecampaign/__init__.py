"""ActiveCampaign's contacts, API v3."""
