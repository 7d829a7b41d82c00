"""HTTP for every CRM that has an API: transport, response bodies, rate limit, credentials, shared state."""
