"""A risk model over all sites without moving rows, and its validation."""
