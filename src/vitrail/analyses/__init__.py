"""One room per kind of analysis: `run` works behind the glass, `pool` in front of it."""
