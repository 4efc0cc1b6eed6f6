"""Columns of texts: a tokenizer's file is read strictly, and cells become whole numbers, the places of tokens."""
