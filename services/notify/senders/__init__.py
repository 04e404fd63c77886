"""How are providers called?"""
