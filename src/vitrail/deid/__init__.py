"""Deidentification: every column is kept, dropped or ruled."""
