"""The certificate authority: who may join, what is signed, and for how long."""
