"""Trains SeNER and its peers on the same documents, and scores them."""
