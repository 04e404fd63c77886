"""What does notify remember between two transactions?"""
