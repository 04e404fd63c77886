"""Does it hold for days, whatever goes wrong at whichever moment? The production code in virtual time."""
