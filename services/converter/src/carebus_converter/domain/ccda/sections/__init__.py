"""The document's sections, one module each: rows in, XML out."""
