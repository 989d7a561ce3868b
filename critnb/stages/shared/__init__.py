"""What several stages do alike."""
