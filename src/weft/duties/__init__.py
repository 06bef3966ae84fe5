"""What a control plane does besides its pipeline.

Each duty joins a server or two with the pure floors, and knows no other duty.
"""
