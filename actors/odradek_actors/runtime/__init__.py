"""What an actor may ask of the world."""
