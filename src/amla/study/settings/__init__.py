"""What a study says of its parts."""
