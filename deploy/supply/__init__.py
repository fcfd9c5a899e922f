"""What Tandem is built of: locks with hashes, a bill of materials, known weaknesses."""
