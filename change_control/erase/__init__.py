"""Erasing a person: who may ask for it, who may confirm it, and what stands in the way.

Must not live here: keys and bodies, which only the shell destroys. Imported by `governance`.
"""
