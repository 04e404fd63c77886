"""Does intake decide rightly?"""
