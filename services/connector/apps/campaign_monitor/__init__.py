"""The subscribers of Campaign Monitor's lists, API v3.3."""
