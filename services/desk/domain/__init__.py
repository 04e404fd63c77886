"""What does desk decide without touching anything: the fold of a case, and the rows of Tables 1 to 3?"""
