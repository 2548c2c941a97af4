"""One file per kind of source, and the mapping file."""
