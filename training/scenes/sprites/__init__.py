"""Trees, buildings and boats: small pictures that are put into the scene."""
