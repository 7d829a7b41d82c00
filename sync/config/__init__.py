"""What the user asks for: the TOML file, typed, with every fault at once."""
