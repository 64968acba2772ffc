"""The board as a static site: pages, data for their scripts, and exports, from the result cards alone."""
