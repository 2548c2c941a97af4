"""Mathematics that knows no medicine."""
