"""What the console asks of Kafka beside the runtime's streams."""
