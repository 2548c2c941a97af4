"""Concepts and their hierarchy."""
