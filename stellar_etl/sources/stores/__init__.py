"""Stores of objects: folders, buckets, web servers."""
