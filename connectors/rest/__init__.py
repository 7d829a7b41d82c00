"""What every CRM whose API is read page by page and written batch by batch needs, written once."""
