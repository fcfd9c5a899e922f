"""Stand-ins for what our code is given: honest, small, without a library."""
