"""What the numbers say: pictures and pages."""
