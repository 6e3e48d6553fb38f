"""`make bench`: what things cost here, beside what they cost without us and what was promised."""
