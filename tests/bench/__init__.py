"""How fast is the closed loop, beside what the same machine can do at all?"""
