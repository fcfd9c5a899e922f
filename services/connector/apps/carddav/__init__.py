"""CardDAV: address books on any server that speaks RFC 6352 and RFC 6578."""
