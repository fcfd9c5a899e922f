"""The contacts of Dotloop's public API v2."""
