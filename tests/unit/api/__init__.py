"""The api's pure parts, and its description held against its code."""
