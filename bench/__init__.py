"""`clickpulse bench`: what the running stack does, measured, beside the way this is usually done."""
