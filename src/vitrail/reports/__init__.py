"""Pages for people: one self-contained HTML file that is read without a network and without scripts."""
