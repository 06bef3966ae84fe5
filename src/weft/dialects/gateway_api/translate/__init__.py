"""Gateway API's documents in the model's words, attachments and references left to link."""
