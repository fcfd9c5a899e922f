"""The archive that is installed: what services need, and nothing that tests them."""
