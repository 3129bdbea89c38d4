"""The JSON Schemas of the files that freezebench writes, made from the types of the code."""
