"""What servers answer, one file per noun."""
