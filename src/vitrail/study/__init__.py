"""The frozen words that cross the glass."""
