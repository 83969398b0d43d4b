"""Commands for those who run and change the project."""
