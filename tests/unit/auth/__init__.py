"""auth's decisions, without a database, a broker or a vendor."""
