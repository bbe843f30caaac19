"""What is asked for, and what comes back: proposals, measurements, and their history."""
