"""The disclosure rules of a site and the gate that applies them."""
