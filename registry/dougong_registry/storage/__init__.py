"""Second homes for bytes: the Hugging Face Hub, each file pinned by the commit that holds it."""
