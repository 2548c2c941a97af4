"""Approvals and the ledger, as pure functions; storage is behind a protocol."""
