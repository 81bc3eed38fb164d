"""What must hold of generated patients: rules without exception, and bands that statistics fall into."""
