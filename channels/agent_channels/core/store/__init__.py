"""The SQLite database: transactions, migrations, and the small tables that many rooms share."""
