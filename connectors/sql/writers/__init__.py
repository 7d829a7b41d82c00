"""One module for each database that segments are written to: a connection that can write, in one transaction."""
