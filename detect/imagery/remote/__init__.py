"""Images, and files of results, at addresses of object stores such as `s3://bucket/flight/`."""
