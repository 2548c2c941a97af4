"""Quality checks, one file per type."""
