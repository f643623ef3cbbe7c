"""Extensions of Airflow: named in its settings, loaded by it."""
