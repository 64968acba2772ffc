"""Words that every room shares: errors, registries, random streams and the types that travel."""
