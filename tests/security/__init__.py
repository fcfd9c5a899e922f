"""What keeps tenants, services and strangers apart, tried on real parts."""
