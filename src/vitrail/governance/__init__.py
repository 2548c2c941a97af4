"""Who may do what, and the record of what was done. Pure: keys, words and bytes in; verdicts and seals out."""
