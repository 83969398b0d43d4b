"""The scenario: stories with every operation and its failures, and the everyday traffic around them."""
