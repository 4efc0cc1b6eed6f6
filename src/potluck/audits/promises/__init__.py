"""Audits of differential privacy: would the mechanism that sites run keep what a plan promises?"""
