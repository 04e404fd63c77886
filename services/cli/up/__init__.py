"""How does a whole caseloop run on one machine with one command?"""
