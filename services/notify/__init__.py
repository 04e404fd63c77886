"""Tells the customer, by SMS, e-mail, chat or a call, exactly once."""
