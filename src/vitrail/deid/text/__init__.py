"""Deidentification of clinical text: known identifiers, dictionaries, rules, a tagger, surrogates, a residual scan."""
