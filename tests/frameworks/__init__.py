"""Receivers in real frameworks: the page's own samples, and the starters, each started and sent real requests."""
