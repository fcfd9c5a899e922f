"""Every message between services, and the words they are made of.

Pure: no I/O, no clock, only the standard library and msgspec. What a message
means to its receiver is that service's business, not this package's.
"""
