"""What is learned and scored."""
