"""Records out.

formats  one declaration for each format
export   written as JSON, JSON Lines or Parquet
card     the dataset card next to it
hub      both sent to the Hugging Face Hub
"""
