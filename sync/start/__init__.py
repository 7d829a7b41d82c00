"""The first steps: a config from a folder of exports or for a CRM, snippets for a scheduler."""
