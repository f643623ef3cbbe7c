"""What every part of Clickpulse shares: settings, clients, errors, windows and models."""
