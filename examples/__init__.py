"""The example pictures, installed with the package as ``overpaint.examples``; README.md says where they come from."""
