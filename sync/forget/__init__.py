"""What leaves our memory: a person, or what is old."""
