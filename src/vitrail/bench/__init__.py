"""Measuring Vitrail beside others, on the same data, in one run: `vitrail bench`."""
