"""People made from a definition, with their truth."""
