"""Files that people upload to an ad platform: how each platform writes the identifiers of a person."""
