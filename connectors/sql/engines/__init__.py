"""One module for each database: how it is reached, and what its errors mean. A driver is imported when it is used."""
