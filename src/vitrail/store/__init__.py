"""One database per node, the same tables at the hub and at a site.

Everything that belongs together (a Release, its ledger entry, the message that carries it) commits in one
transaction, and nothing is written without a ledger entry that says what happened.
"""
