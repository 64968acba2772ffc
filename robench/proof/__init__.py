"""Whether a result card says what is so: by itself, by its witnesses, and measured again."""
