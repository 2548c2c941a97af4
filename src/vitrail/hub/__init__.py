"""In front of the glass: the meeting point, which holds no patient data."""
