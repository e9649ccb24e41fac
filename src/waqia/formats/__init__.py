"""Readings and records in the forms that other programs read."""
