"""One reader per annotation format, each giving spaCy docs."""
