"""The one database of a node."""
