"""Who was included, what they are like, how often outcomes occur."""
