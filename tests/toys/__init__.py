"""What CONTRIBUTING says of a new source and a new CRM, followed to the letter: small ones that only tests have."""
