"""What would a user build or pick instead? Each does W4p: one record, five durable steps, one ``closed`` record."""
