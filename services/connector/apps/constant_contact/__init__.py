"""Constant Contact, API version 3."""
