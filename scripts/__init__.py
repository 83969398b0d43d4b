"""Commands for operators and contributors."""
