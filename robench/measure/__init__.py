"""From a request to result cards: the plan, what is stored of it already, and the rest of the work."""
