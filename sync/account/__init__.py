"""What one account is during a command: its session, its segments, what we write to, and whose consent
forbids it.
"""
