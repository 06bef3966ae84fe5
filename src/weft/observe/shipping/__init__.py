"""Copies of the audit log elsewhere: where nobody who breaks into this machine can change them."""
