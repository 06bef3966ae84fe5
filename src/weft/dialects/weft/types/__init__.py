"""The shapes of weft's own documents."""
