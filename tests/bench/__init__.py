"""How fast is the product, beside what the same machine can do at all?"""
