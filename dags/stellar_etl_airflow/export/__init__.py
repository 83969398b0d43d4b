"""What is exported: the exporter's arguments, its manifest, where its files lie."""
