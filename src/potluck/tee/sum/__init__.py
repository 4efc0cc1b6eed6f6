"""Sums in an enclave: `protection` is the way in, `site` and `server` its halves, `compute` what runs inside."""
