"""What every package shares: errors, registries, random streams and the types that travel."""
