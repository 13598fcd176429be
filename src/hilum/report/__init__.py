"""Core types to pages and pictures. Computes nothing."""
