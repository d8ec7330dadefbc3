"""Looks: what turns a rendered photograph into a painting, a drawing or a bad photograph."""
