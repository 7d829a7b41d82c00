"""How is the export of a known platform laid out?

One TOML file for each; ``connectors.files.platform`` reads them.
"""
