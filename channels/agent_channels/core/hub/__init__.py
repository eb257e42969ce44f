"""What several projects share of one bot: its reading, in a database that each of them can reach."""
