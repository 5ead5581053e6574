"""Linear prediction of responses from features (encoding)."""
