"""Secrets and the primitives around them, all from vetted libraries."""
