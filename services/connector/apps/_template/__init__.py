"""Where a new app starts from; not in the catalogue, because of the underscore."""
