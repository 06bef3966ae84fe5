"""What is changed in other libraries. Each module has ``patch(module)``; nothing is imported that was not there."""
