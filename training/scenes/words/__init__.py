"""What can be said about a picture."""
