"""Vitrail: several health systems answer one question together; every record stays behind its own glass."""
