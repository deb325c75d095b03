"""Where questions come from and answers go: states from files or topics, tables and JSON."""
