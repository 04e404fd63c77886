"""Where the system runs: the image, the compositions, the shipped policies and the servers of one machine."""
