"""Whether what is stored, or pushed here, is right."""
