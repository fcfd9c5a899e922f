"""One folder per app. An app knows nothing of another, nor of the transport."""
