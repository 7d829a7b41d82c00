"""What does a table of rows that somebody else made say of contacts and of what they did? Of files and of databases alike."""
