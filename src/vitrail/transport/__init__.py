"""The mailbox between hub and sites."""
