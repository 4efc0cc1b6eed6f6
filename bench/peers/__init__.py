"""Whoever is measured beside Potluck: libraries in this process, programs and deployments of their own."""
