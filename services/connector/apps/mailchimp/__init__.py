"""Mailchimp's members of audiences, Marketing API 3.0."""
