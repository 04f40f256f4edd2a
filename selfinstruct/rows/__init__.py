"""Files that users bring, as rows, and files written whole."""
