"""What the model is trained and measured with; not part of the installed package."""
