-- Rows of a Parquet object.
SELECT count() FROM s3({s3_url:String}, {s3_access_key:String}, {s3_secret_key:String}, 'Parquet')
