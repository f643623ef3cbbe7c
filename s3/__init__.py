"""S3 of the distributed profile: MinIO as a server, and the bucket of minutes and reports."""
