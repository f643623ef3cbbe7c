"""The profile without Docker: what to install, start, wait for and stop on one machine."""
