"""`spacy train`, but for runs that may be stopped and go on."""
