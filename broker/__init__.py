"""Kafka: the broker's configuration, its topics, its users and what each of them may do."""
