"""Local stand-ins for CRMs that are reached over the network."""
