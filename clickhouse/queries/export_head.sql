INSERT INTO FUNCTION s3({url:String}, {access_key:String}, {secret_key:String}, 'Parquet')
SETTINGS s3_truncate_on_insert = 1, output_format_parquet_parallel_encoding = 0, max_threads = 2
