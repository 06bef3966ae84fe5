"""What a proxy would do to an imagined request, found in the very resources that it was sent. Pure: nothing is called."""
