"""Side-by-side benchmarks: ours and a peer in one run, as a ratio, with memory."""
