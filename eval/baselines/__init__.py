"""Simple systems to compare with."""
