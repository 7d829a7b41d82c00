"""How are the exports and the landed tables of a known platform laid out?

One TOML file for each; ``connectors.tables.platform`` reads them.
"""
