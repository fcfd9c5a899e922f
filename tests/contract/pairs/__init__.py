"""Every app two-way with every other one, and what of a person gets across."""
