"""Linking across texts measured on texts whose incident people coded."""
