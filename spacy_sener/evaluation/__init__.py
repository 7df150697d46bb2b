"""What a pipeline gets right and wrong in `doc.spans`: figures, tables and plots of one report."""
