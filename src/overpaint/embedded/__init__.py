"""The model that ships with Overpaint: an ordinary diffusers folder with a card."""
