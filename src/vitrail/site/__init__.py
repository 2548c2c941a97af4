"""Behind the glass: load, answer, and the agent that polls."""
