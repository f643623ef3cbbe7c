"""Postgres of the distributed profile: a user and a database for each service that keeps something there."""
