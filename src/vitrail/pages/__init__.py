"""The frame that all pages share: each one document that holds all it needs, runs nothing and loads nothing."""
