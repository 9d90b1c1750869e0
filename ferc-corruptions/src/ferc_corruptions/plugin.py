"""Plugin of this package."""
