"""Evidence as a page that a clinician reads and a statistician trusts."""
