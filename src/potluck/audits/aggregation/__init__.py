"""Attacks on what should hide a site's summand until sums open."""
