"""Networks that are scored before they are trained."""
