"""Invented home pages of invented scholars, with annotated spans."""
