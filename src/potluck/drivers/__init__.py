"""What happens in a round and from round to round, whoever moves the letters."""
