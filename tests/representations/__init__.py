"""Tests of what a quote looks like."""
