"""What a proxy would do to an imagined request, read from the resources that it was sent. Pure: nothing is called."""
