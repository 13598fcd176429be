"""What a person wants done, from files to files."""
