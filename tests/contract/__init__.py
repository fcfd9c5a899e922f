"""One rule book for every app and store: recorded bytes and shared suites."""
